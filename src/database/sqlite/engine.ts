import { type CompiledQuery, type Kysely, sql } from 'kysely';
import type { ReadonlyCompiledQuery } from 'kysely/readonly';
import type { Engine, ReadQueries, Work } from '../engine.ts';
import { DatabaseUnavailable } from '../errors.ts';
import { kysely } from './dialect.ts';
import { isSyncFailure } from './failures.ts';
import type { ReadDriver } from './read-driver.ts';
import type { WriteDriver } from './write-driver.ts';

/** What makes commits durable. */
export interface Disk {
  /** Throws once the disk has failed. */
  check(): void;
  /** Resolves when everything that is committed now is durable. */
  settled(): Promise<void>;
  fail(cause: unknown): void;
}

export interface Parts {
  readonly reads: ReadDriver;
  readonly writes: WriteDriver;
  readonly disk: Disk;
  readonly close: () => Promise<void>;
}

export class SqliteEngine<Tables> implements Engine<Tables> {
  readonly db: ReadQueries<Tables>;
  readonly #reads: ReadDriver;
  readonly #trivial: CompiledQuery;
  readonly #writes: Kysely<Tables>;
  readonly #disk: Disk;
  readonly #closeParts: () => Promise<void>;
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor({ reads, writes, disk, close }: Parts) {
    const builder = kysely<Tables>(reads);
    this.#reads = reads;
    this.#writes = kysely(writes);
    this.#disk = disk;
    this.#closeParts = close;
    // What is compiled already needs nothing of Kysely's way to a connection, which costs as much as the read.
    this.db = Object.assign(builder, {
      executeQuery: <R>(query: ReadonlyCompiledQuery<R>) => reads.executeQuery<R>(query),
    });
    this.#trivial = sql`select 1 from sqlite_schema limit 1`.compile(builder);
  }

  async transaction<T>(work: Work<Tables, T>): Promise<T> {
    if (this.#closed) throw new DatabaseUnavailable('the database is closing');
    this.#disk.check();
    const running = this.#transaction(work);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** There are no round trips to save. */
  async statement<T>(work: Work<Tables, T>): Promise<T> {
    return await this.transaction(work);
  }

  /** Every transaction is alone. */
  async exclusive<T>(work: Work<Tables, T>): Promise<T> {
    return await this.transaction(work);
  }

  async ping(): Promise<void> {
    await this.#reads.executeQuery(this.#trivial);
  }

  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(this.#closeParts);
    return this.#closed;
  }

  /** A failure waits too: what it says, such as "taken", may rest on a commit that is not durable yet. */
  async #transaction<T>(work: Work<Tables, T>): Promise<T> {
    try {
      return await this.#writes.transaction().execute(tx => inTime(work(tx)));
    } catch (error) {
      if (isSyncFailure(error)) this.#disk.fail(error);
      throw error;
    } finally {
      await this.#disk.settled();
    }
  }
}

/** Milliseconds in which a transaction has to end. Statements take none of them: they run without yielding. */
const limit = 5000;

async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error('a transaction awaited something other than its own queries')),
    limit,
  );
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
