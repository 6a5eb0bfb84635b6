import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { CompiledQuery, QueryResult } from 'kysely';
import { SqliteConnection } from './connection.ts';

/**
 * Reads of one turn of the event loop run together at its end, in one read transaction: SQLite's locks are three system
 * calls, and code that runs many times in a row runs faster than code that takes turns with everything else.
 */
export class SnapshotConnection extends SqliteConnection {
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #waiting: (() => void)[] = [];

  constructor(raw: DatabaseSync) {
    super(raw);
    this.#begin = raw.prepare('begin');
    this.#commit = raw.prepare('commit');
  }

  override executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { promise, resolve, reject } = Promise.withResolvers<QueryResult<R>>();
    if (this.#waiting.length === 0) setImmediate(this.runWaiting);
    this.#waiting.push(() => {
      try {
        resolve(this.run<R>(query));
      } catch (error) {
        reject(error);
      }
    });
    return promise;
  }

  /** Now instead of at the end of the turn. */
  readonly runWaiting = (): void => {
    const reads = this.#waiting;
    this.#waiting = [];
    try {
      if (reads.length > 0) this.#begin.run();
    } catch {
      // Then each read has a transaction of its own, and says itself what is wrong.
    }
    for (const read of reads) read();
    if (this.raw.isOpen && this.raw.isTransaction) this.#commit.run();
  };
}
