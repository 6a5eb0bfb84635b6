import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { startProxy, type Way } from '../helpers/postgres/proxy.ts';
import { type PostgresServer, startPostgres } from '../helpers/postgres/start.ts';
import type { Scope } from '../helpers/scope.ts';

/**
 * How a standby hears of writes: before they are acknowledged; a little later; or not any more, while the primary knows
 * nothing of it.
 */
export type Replication = 'synchronous' | 'late' | 'deaf';

/** Milliseconds. */
const late = 150;
const settings = [
  ...['wal_level=replica', 'max_wal_senders=5', 'wal_keep_size=1GB'],
  // A standby asks again soon.
  'wal_retrieve_retry_interval=50ms',
];

/** A PostgreSQL primary, a standby that follows it, and an address that leads to one of them. */
export class Cluster {
  readonly address: Way;
  /** The URLs of the servers themselves. */
  primary: string;
  standby = '';
  readonly #server: PostgresServer;
  readonly #scope: Scope;
  #line: Way | undefined;

  private constructor(scope: Scope, server: PostgresServer, address: Way) {
    this.#scope = scope;
    this.#server = server;
    this.address = address;
    this.primary = server.url;
  }

  static async start(scope: Scope): Promise<Cluster> {
    const server = await startPostgres(settings);
    scope.after(() => server.end());
    return new Cluster(scope, server, await startProxy(scope, server.url));
  }

  /** A new standby. */
  async follow(replication: Replication): Promise<void> {
    const line = await startProxy(this.#scope, this.primary);
    this.#line = line;
    this.standby = await this.#server.standby(line.url);
    if (replication === 'late') line.slow(late);
    if (replication === 'deaf') this.part();
    if (replication !== 'synchronous') return;
    await this.ask("alter system set synchronous_standby_names = '*'");
    await this.ask('select pg_reload_conf()');
    while ((await this.ask("select from pg_stat_replication where sync_state = 'sync'")) === 0)
      await pause(20);
  }

  /** The address leads to the standby, while the primary is alive; or back. */
  lead(to: 'primary' | 'standby'): void {
    this.address.lead(this[to]);
  }

  /** The standby hears of nothing, until they are reunited. */
  part(): void {
    this.#line?.blackHole();
  }

  reunite(): void {
    this.#line?.heal();
    this.#line?.cut();
  }

  /** `silent`: as if its machine were gone, so that whoever talks with it hears nothing more. */
  async crash(silent: boolean): Promise<void> {
    if (silent) this.address.blackHole();
    await this.#server.crash();
  }

  /** The standby takes over, and the address leads to it. */
  async takeOver(): Promise<void> {
    await this.#server.promote();
    await this.#line?.close();
    this.primary = this.standby;
    this.lead('primary');
    this.address.heal();
  }

  /** Of the primary, as the superuser; how many rows it was. */
  async ask(sql: string): Promise<number> {
    const client = new pg.Client(this.primary);
    await client.connect();
    try {
      return (await client.query(sql)).rowCount ?? 0;
    } finally {
      await client.end();
    }
  }
}
