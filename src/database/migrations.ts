import { readdir } from 'node:fs/promises';
import type { ColumnDataType, CreateTableBuilder, Kysely, SchemaModule } from 'kysely';
import { DatabaseRefused } from './errors.ts';

/** One step of the schema's history: what a file of `migrations/` exports. Runs in a transaction, once, on either engine. */
export interface Migration {
  readonly name: string;
  readonly up: (context: MigrationContext) => Promise<void>;
}

export interface MigrationContext {
  /** `createTable` of the schema, with what this engine wants at its end. The primary key is to be the first column. */
  readonly createTable: (name: string) => CreateTableBuilder<string>;
  readonly schema: SchemaModule;
  readonly types: ColumnTypes;
  /** For moving rows. Its tables are those of this moment in history, so it knows no types of them. */
  readonly db: Kysely<Record<string, Record<string, unknown>>>;
}

/** What a column of this kind is called on this engine. */
export interface ColumnTypes {
  readonly id: ColumnDataType;
  readonly text: ColumnDataType;
  readonly integer: ColumnDataType;
  /** Milliseconds; a `Date` in the program. The column's name has to end in `_at`. */
  readonly time: ColumnDataType;
  /** JSON; its text in the program. An engine that understands it may give it back in another spelling. */
  readonly json: ColumnDataType;
}

export const migrationsFolder = new URL('../../migrations/', import.meta.url);

/** Every `NNNN_name.ts` of a folder, in order. */
export async function loadMigrations(folder: URL): Promise<Migration[]> {
  const files = (await readdir(folder)).filter(file => /^\d{4}_\w+\.ts$/.test(file)).sort();
  return await Promise.all(
    files.map(async file => {
      const { up } = await import(new URL(file, folder).href);
      if (typeof up !== 'function') throw new TypeError(`the migration ${file} exports no function "up"`);
      return { name: file.slice(0, -3), up };
    }),
  );
}

/** Throws `DatabaseRefused` where there is something to be applied and that is not wanted. */
export function requireNothingPending(pending: readonly Migration[]): void {
  const [next] = pending;
  if (next === undefined) return;
  throw new DatabaseRefused(
    `lacks the migration ${next.name}, and MIGRATE is off: have "npm run plinth -- migrate" apply it`,
  );
}

/** What is still to be applied. Throws `DatabaseRefused` unless what was applied is how our own history begins. */
export function pendingMigrations(
  known: readonly Migration[],
  applied: readonly string[],
): readonly Migration[] {
  const history = applied.toSorted();
  const last = known.at(-1)?.name ?? 'none';
  const foreign = history.filter(name => !known.some(migration => migration.name === name));
  const [first] = foreign;
  if (first !== undefined && foreign.every(name => name.slice(0, 4) > last.slice(0, 4))) {
    throw new DatabaseRefused(
      `is newer than this program: it has migration ${foreign.at(-1)}, the program ends at ${last}`,
    );
  }
  if (first !== undefined)
    throw new DatabaseRefused(`has another history: this program has no migration ${first}`);
  const gap = known.find((migration, index) => index < history.length && migration.name !== history[index]);
  if (gap) throw new DatabaseRefused(`has another history: migration ${gap.name} was left out`);
  return known.slice(history.length);
}
