import type { Transaction as KyselyTransaction } from 'kysely';
import type { SessionsTable, SigningKeysTable } from './auth/models.ts';
import type { DatabaseOptions, Engine, ReadQueries } from './database/engine.ts';
import { openSqlite } from './database/sqlite/open.ts';
import type { UsersTable } from './users/models.ts';

export { DatabaseRefused, DatabaseUnavailable, isUniqueViolation } from './database/errors.ts';
export { type Params, prepared } from './database/prepared.ts';

/** The table of contents of the schema: one line a table, its columns beside the code that owns it. */
export interface Tables {
  users: UsersTable;
  sessions: SessionsTable;
  signing_keys: SigningKeysTable;
  instance: InstanceTable;
}

/** Facts about this installation, one row a name. */
export interface InstanceTable {
  name: string;
  value: string;
}

/** What reads need; no write can be expressed with it. A `Transaction` is one too. */
export type Queries = ReadQueries<Tables>;
export type Transaction = KyselyTransaction<Tables>;
export type Database = Engine<Tables>;

/**
 * Opens, checks and migrates. `url`: `sqlite:PATH` or `sqlite::memory:`.
 * Rejects with `DatabaseRefused`, before anything is changed, when this is not a database to work with.
 */
export async function openDatabase(url: string, options: DatabaseOptions = {}): Promise<Database> {
  const [, location] = /^sqlite:(.+)$/.exec(url) ?? [];
  if (location === undefined)
    throw new TypeError('a database URL has the form sqlite:PATH or sqlite::memory:');
  return await openSqlite<Tables>(location, options);
}
