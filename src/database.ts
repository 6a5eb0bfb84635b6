import { resolve } from 'node:path';
import type { Transaction as KyselyTransaction } from 'kysely';
import type { SessionsTable, SigningKeysTable } from './auth/models.ts';
import type { DatabaseOptions, Engine, ReadQueries } from './database/engine.ts';
import { addressForm, describeAddress, parseAddress } from './database/postgres/address.ts';
import { openSqlite } from './database/sqlite/open.ts';
import type { LimitsTable } from './limits/models.ts';
import type { UsersTable } from './users/models.ts';

export { DatabaseRefused, DatabaseUnavailable, isUniqueViolation } from './database/errors.ts';
export { prepared } from './database/prepared.ts';

/** The table of contents of the schema: one line a table, its columns beside the code that owns it. */
export interface Tables {
  users: UsersTable;
  sessions: SessionsTable;
  signing_keys: SigningKeysTable;
  limits: LimitsTable;
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

/** The path of a SQLite database, or `:memory:`; undefined for what is none. */
export function sqlitePath(url: string): string | undefined {
  return /^sqlite:(.+)$/s.exec(url)?.[1];
}

/** Where the data lies, for people: nothing in it is secret. */
export function describeDatabase(url: string): string {
  const address = parseAddress(url);
  if (address) return `PostgreSQL, ${describeAddress(address)}`;
  const path = sqlitePath(url) ?? '';
  return path === ':memory:' ? 'in memory only, gone at the end' : resolve(path);
}

/**
 * Opens, checks and migrates. `url`: `sqlite:PATH`, `sqlite::memory:` or `postgres://…`, see `docs/settings.md`.
 * Rejects with `DatabaseRefused`, before anything is changed, when this is not a database to work with, and with
 * `DatabaseUnavailable` when its server does not answer.
 */
export async function openDatabase(url: string, options: DatabaseOptions = {}): Promise<Database> {
  const address = parseAddress(url);
  if (address) {
    // Here, because whoever has SQLite needs nothing of it.
    const { openPostgres } = await import('./database/postgres/open.ts');
    return await openPostgres<Tables>(address, options);
  }
  const location = sqlitePath(url);
  if (location === undefined)
    throw new TypeError(`a database URL has the form sqlite:PATH, sqlite::memory: or ${addressForm}`);
  return await openSqlite<Tables>(location, options);
}
