import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { CompiledQuery, QueryResult } from 'kysely';
import { SqliteConnection } from './connection.ts';

/**
 * Reads of one turn of the event loop share one read transaction: SQLite's locks are three system calls, more than a
 * look-up itself costs. A turn is the longest that a read can lag behind another process; `renew` ends it at once.
 */
export class SnapshotConnection extends SqliteConnection {
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #open = false;

  constructor(raw: DatabaseSync) {
    super(raw);
    this.#begin = raw.prepare('begin');
    this.#commit = raw.prepare('commit');
  }

  override async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (!this.#open && this.raw.isOpen) {
      this.#begin.run();
      this.#open = true;
      setImmediate(this.renew);
    }
    return await super.executeQuery<R>(query);
  }

  /** The next read sees everything that is committed by then. */
  readonly renew = (): void => {
    if (!this.#open) return;
    this.#open = false;
    if (this.raw.isTransaction) this.#commit.run();
  };
}
