import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { DatabaseUnavailable } from '../errors.ts';
import type { PostgresConnection } from './connection.ts';
import type { Pool } from './pool.ts';

/**
 * Milliseconds after which one caller is told that the database does not answer. A request that reads, and then changes
 * something, ends within three seconds by these, however slow the database is.
 */
export const patience = { statement: 1200, transaction: 1700 };

/** What one caller does with the database, within the time that one caller waits. */
export class Turn {
  readonly #pool: Pool;
  #connection: PostgresConnection | undefined;
  #over = false;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Whether nobody waits for it any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Rejects in time, whatever `work` does; a connection on which something hangs is not used again. */
  async run<T>(work: () => Promise<T>, patience: number): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const error = new DatabaseUnavailable('the database did not answer in time');
      if (this.#connection) this.#pool.dropIdle();
      this.#connection?.destroy(error);
      reject(error);
    }, patience);
    try {
      return await Promise.race([work(), late]);
    } finally {
      this.#over = true;
      clearTimeout(timer);
    }
  }

  /** Part of `run`. Gives `work` a connection of its own. */
  async withConnection<T>(work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = await this.#pool.acquire();
    try {
      if (this.#over) throw new DatabaseUnavailable('nobody waits for this any more');
      this.#connection = connection;
      return await work(connection);
    } finally {
      this.#connection = undefined;
      this.#pool.release(connection);
    }
  }
}

/** A connection for the length of a transaction: a statement that nobody awaited cannot run after its end. */
export class Lease implements DatabaseConnection {
  readonly #connection: PostgresConnection;
  #left: number;

  /** `statements`: how many may run. */
  constructor(connection: PostgresConnection, statements = Number.POSITIVE_INFINITY) {
    this.#connection = connection;
    this.#left = statements;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#left <= 0) throw new Error('this transaction is over');
    this.#left--;
    return await this.#connection.run<R>(query);
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  end(): void {
    this.#left = 0;
  }
}
