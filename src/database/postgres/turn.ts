import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { DatabaseUnavailable } from '../errors.ts';
import { inTime } from './budgets.ts';
import type { PostgresConnection } from './connection.ts';
import type { Pool } from './pool.ts';

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

  /**
   * Rejects after `patience` milliseconds, or after those that are `left` to the caller, whatever `work` does; a
   * connection on which something hangs is not used again.
   */
  async run<T>(work: () => Promise<T>, patience: number, left: number): Promise<T> {
    try {
      return await inTime(work(), Math.min(patience, left), error => {
        // In less time it may have been slow and no more.
        if (this.#connection && left >= patience) this.#pool.dropIdle();
        this.#connection?.destroy(error);
      });
    } finally {
      this.#over = true;
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
