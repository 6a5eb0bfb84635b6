import type { Driver } from 'kysely';
import type { SqliteConnection } from './connection.ts';
import { translated } from './failures.ts';
import { Lease } from './lease.ts';
import type { Mutex } from './mutex.ts';
import { patience, untilFree, type World } from './patience.ts';

/** Transactions, one at a time in this instance; other instances and processes are waited for without blocking. */
export class WriteDriver implements Driver {
  readonly #connection: SqliteConnection;
  readonly #mutex: Mutex;
  readonly #world: World;
  readonly #onCommit: () => void;
  readonly #deadlines = new WeakMap<Lease, number>();

  constructor(connection: SqliteConnection, mutex: Mutex, world: World, onCommit = () => {}) {
    this.#connection = connection;
    this.#mutex = mutex;
    this.#world = world;
    this.#onCommit = onCommit;
  }

  /** The wait for the file counts from here: those who queue behind a locked file do not wait one after another. */
  async acquireConnection(): Promise<Lease> {
    const deadline = this.#world.monotonic() + patience;
    const lease = new Lease(this.#connection, await this.#mutex.lock());
    this.#deadlines.set(lease, deadline);
    return lease;
  }

  async beginTransaction(lease: Lease): Promise<void> {
    try {
      const begin = () => this.#connection.raw.exec('begin immediate');
      await untilFree(begin, this.#deadlines.get(lease) ?? 0, this.#world);
    } catch (error) {
      throw translated(error);
    }
  }

  async commitTransaction(): Promise<void> {
    this.#exec('commit');
    this.#onCommit();
  }

  async rollbackTransaction(): Promise<void> {
    // SQLite has already rolled back by itself after a full disk or an I/O error.
    if (this.#connection.raw.isTransaction) this.#exec('rollback');
  }

  async releaseConnection(lease: Lease): Promise<void> {
    lease.end();
  }

  async init(): Promise<void> {}

  async destroy(): Promise<void> {}

  #exec(sql: string): void {
    try {
      this.#connection.raw.exec(sql);
    } catch (error) {
      throw translated(error);
    }
  }
}
