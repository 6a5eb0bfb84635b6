import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';
import type { SqliteConnection } from './connection.ts';
import { Lease } from './lease.ts';
import type { Mutex } from './mutex.ts';

/** Reads of a file, which nothing blocks. */
export class ReadDriver implements Driver {
  protected readonly connection: SqliteConnection;

  constructor(connection: SqliteConnection) {
    this.connection = connection;
  }

  /** Straight to the connection. */
  async executeQuery<R>(query: CompiledQuery<R>): Promise<QueryResult<R>> {
    return await this.connection.executeQuery<R>(query);
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.connection;
  }

  async releaseConnection(_connection: DatabaseConnection): Promise<void> {}

  async init(): Promise<void> {}

  async destroy(): Promise<void> {}

  async beginTransaction(): Promise<void> {
    throw new Error('transactions are for the writing connection');
  }

  async commitTransaction(): Promise<void> {}

  async rollbackTransaction(): Promise<void> {}
}

/** Reads in memory, where SQLite lets nobody read while a transaction is open: they wait for its end. */
export class MemoryReadDriver extends ReadDriver {
  readonly #mutex: Mutex;

  constructor(connection: SqliteConnection, mutex: Mutex) {
    super(connection);
    this.#mutex = mutex;
  }

  override async executeQuery<R>(query: CompiledQuery<R>): Promise<QueryResult<R>> {
    const lease = await this.acquireConnection();
    try {
      return await lease.executeQuery<R>(query);
    } finally {
      lease.end();
    }
  }

  override async acquireConnection(): Promise<Lease> {
    return new Lease(this.connection, await this.#mutex.lock());
  }

  override async releaseConnection(lease: Lease): Promise<void> {
    lease.end();
  }
}
