import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import type { SqliteConnection } from './connection.ts';

/** A connection for the length of one turn: a statement that nobody awaited cannot run after its end. */
export class Lease implements DatabaseConnection {
  readonly #connection: SqliteConnection;
  readonly #unlock: () => void;
  #ended = false;

  constructor(connection: SqliteConnection, unlock: () => void) {
    this.#connection = connection;
    this.#unlock = unlock;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#ended) throw new Error('this transaction is over');
    return await this.#connection.executeQuery<R>(query);
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  end(): void {
    this.#ended = true;
    this.#unlock();
  }
}
