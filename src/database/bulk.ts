import type { Kysely } from 'kysely';
import type { DatabaseOptions } from './engine.ts';

export type BulkOptions = Pick<DatabaseOptions, 'accept' | 'migrations'>;

/** Tables of whatever names, with rows as the program sees them. */
export type AnyTables = Record<string, Record<string, unknown>>;

export interface BulkTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** Those that are its primary key: one. */
  readonly keys: readonly string[];
  /** Columns of JSON, of which an engine may keep another spelling. */
  readonly json: readonly string[];
  /** The tables that its rows refer to. */
  readonly refersTo: readonly string[];
}

interface Bulk extends AsyncDisposable {
  /** For people: which database it is. */
  readonly what: string;
  /** Each of the schema, but for the history of migrations. */
  readonly tables: readonly BulkTable[];
  readonly db: Kysely<AnyTables>;
}

/** All that a database holds at one moment. Nobody can write to it while this is open. */
export interface BulkSource extends Bulk {
  /** Throws `DatabaseRefused` where somebody has begun to use the database and will go on when this is closed. */
  confirm(): Promise<void>;
}

/** A database with today's schema and no rows. It gets what is written to it with `publish`, or else nothing at all. */
export interface BulkTarget extends Bulk {
  publish(): Promise<void>;
}

/** Those that others refer to first. */
export function inOrder(tables: readonly BulkTable[]): readonly BulkTable[] {
  const ordered = new Set<BulkTable>();
  const visit = (table: BulkTable, path: readonly string[]): void => {
    if (path.includes(table.name)) throw new Error(`tables refer to each other: ${path.join(', ')}`);
    for (const name of table.refersTo) {
      const other = tables.find(candidate => candidate.name === name);
      if (other && other !== table) visit(other, [...path, table.name]);
    }
    ordered.add(table);
  };
  for (const table of tables) visit(table, []);
  return [...ordered];
}
