import { Socket } from 'node:net';
import type { CompiledQuery, QueryResult } from 'kysely';
import { Client, type ClientConfig, DatabaseError } from 'pg';
import type { ServerLimits } from '../engine.ts';
import { DatabaseUnavailable } from '../errors.ts';
import type { Address } from './address.ts';
import { type Constraints, isDemoted, isStale, isUnprepared, translated } from './failures.ts';
import type { StatementNames } from './statement-names.ts';
import { tlsOptions } from './tls.ts';
import { getTypeParser, toSql } from './values.ts';

/** What all connections to one database have in common. */
export interface Shared {
  /** Milliseconds that it may take to connect, with the first question answered; 1500 where it is not given. */
  readonly connectLimit?: number;
  readonly limits?: ServerLimits;
  readonly names: StatementNames;
  readonly constraints: Constraints;
}

/**
 * Times are read in this form; poolers that give a client many servers keep this setting, of all, for it. And a standby may
 * be behind: to look a session up there would let one live that is over.
 */
const greeting = `select set_config('datestyle', 'iso', false), current_setting('in_hot_standby', true) as standby`;

/** One connection. It is usable until it fails or is destroyed, and then never again. */
export class PostgresConnection {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #shared: Shared;
  #usable = true;
  #failure: unknown;
  /** Called once, when it has ended, for whatever reason. */
  onEnd: () => void = () => {};

  /** Rejects with `DatabaseUnavailable`, or `DatabaseRefused` for certificates that cannot be read. */
  static async open(address: Address, shared: Shared): Promise<PostgresConnection> {
    const connection = new PostgresConnection(address, shared);
    const late = () => connection.destroy(new Error('it did not answer in time'));
    const timer = setTimeout(late, shared.connectLimit ?? 1500);
    try {
      await connection.#client.connect();
      const { rows } = await connection.#client.query<{ standby: string | null }>(greeting);
      if (rows[0]?.standby === 'on') throw new Error('it is a standby, which takes no writes');
      return connection;
    } catch (error) {
      connection.destroy(error);
      const cause = connection.#failure;
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new DatabaseUnavailable(`no connection to the database: ${message}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  private constructor(address: Address, shared: Shared) {
    this.#socket = new Socket();
    this.#shared = shared;
    this.#client = new Client(clientConfig(address, this.#socket, shared));
    this.#client.on('error', error => this.#fail(error));
    this.#client.once('end', () => {
      this.#usable = false;
      this.onEnd();
    });
  }

  get usable(): boolean {
    return this.#usable;
  }

  /** Rejects with what the rest of the program understands, or else with the server's error as it is. */
  async run<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const name = this.#shared.names.of(sql);
    const config = { text: sql, values: parameters.map(toSql), ...(name !== undefined && { name }) };
    const { rows, rowCount, command } = await this.#settled(
      this.#client.query<R & object>(config).catch(error => {
        if (isStale(error)) this.#shared.names.renew(sql, name);
        throw error;
      }),
    );
    return { rows, ...(command !== 'SELECT' && { numAffectedRows: BigInt(rowCount ?? 0) }) };
  }

  /** What the server says that it did: a command without values and without an answer. */
  async command(text: string): Promise<string> {
    const { command } = await this.#settled(this.#client.query(text));
    return command;
  }

  /** At once: whatever runs on it is rejected here, and left alone by the server as soon as that notices. */
  destroy(cause: unknown = new Error('the connection was closed')): void {
    this.#fail(cause);
    this.#socket.destroy();
  }

  /** Says goodbye. For a connection on which nothing runs. */
  async close(): Promise<void> {
    this.#usable = false;
    await this.#client.end();
  }

  #fail(cause: unknown): void {
    this.#usable = false;
    this.#failure ??= cause;
  }

  async #settled<T>(result: Promise<T>): Promise<T> {
    try {
      return await result;
    } catch (error) {
      if (isUnprepared(error)) this.#shared.names.giveUp();
      if (isStale(error) || isDemoted(error)) this.destroy(error);
      if (error instanceof DatabaseError || this.#usable) throw translated(error, this.#shared.constraints);
      throw new DatabaseUnavailable('the connection to the database was lost', {
        cause: this.#failure ?? error,
      });
    }
  }
}

function clientConfig(address: Address, socket: Socket, { limits }: Shared): ClientConfig {
  const { host, port, user, password = '', database } = address;
  return {
    host,
    port,
    user,
    database,
    // A function, so that no file and no variable of the environment has a say.
    password: () => password,
    ssl: tlsOptions(address),
    stream: () => socket,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'plinth',
    types: { getTypeParser },
    ...(limits && {
      statement_timeout: limits.statement,
      lock_timeout: limits.lock,
      idle_in_transaction_session_timeout: limits.idle,
    }),
  };
}
