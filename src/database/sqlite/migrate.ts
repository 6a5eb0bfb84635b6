import type { DatabaseSync } from 'node:sqlite';
import { type Kysely, sql } from 'kysely';
import { DatabaseRefused } from '../errors.ts';
import { type ColumnTypes, type Migration, pendingMigrations } from '../migrations.ts';
import { SqliteConnection } from './connection.ts';
import { kysely } from './dialect.ts';
import { Mutex } from './mutex.ts';
import type { World } from './patience.ts';
import { WriteDriver } from './write-driver.ts';

/** "Plnt": marks a file as ours, https://sqlite.org/fileformat2.html#application_id */
export const applicationId = 0x506c6e74;

interface MigrationTables {
  migrations: { name: string; applied_at: Date };
}

/** Brings the schema up to date, all steps in one transaction. */
export async function migrate(
  raw: DatabaseSync,
  migrations: readonly Migration[],
  world: World,
): Promise<void> {
  const writer = kysely<MigrationTables>(new WriteDriver(new SqliteConnection(raw), new Mutex(), world));
  // Off, because a table that is rebuilt would take its referrers with it; checked as a whole at the end.
  raw.exec('pragma foreign_keys = off');
  await writer.transaction().execute(async tx => {
    await createTable(tx, 'migrations')
      .ifNotExists()
      .addColumn('name', types.text, column => column.primaryKey())
      .addColumn('applied_at', types.time, column => column.notNull())
      .execute();
    const applied = await tx.selectFrom('migrations').select('name').execute();
    const pending = pendingMigrations(
      migrations,
      applied.map(({ name }) => name),
    );
    for (const { name, up } of pending) {
      const { schema } = tx;
      // A migration sees the schema of its own day, which no type describes.
      const db = tx as unknown as Kysely<Record<string, Record<string, unknown>>>;
      await up({ schema, createTable: table => createTable(tx, table), types, db });
      await tx.insertInto('migrations').values({ name, applied_at: world.now() }).execute();
    }
    const { table } = raw.prepare('pragma foreign_key_check').get() ?? {};
    if (table) throw new DatabaseRefused(`cannot be migrated: rows of ${table} refer to none`);
    if (pending.length > 0) raw.exec(`pragma application_id = ${applicationId}`);
  });
  raw.exec('pragma foreign_keys = on; pragma trusted_schema = off');
}

function createTable(db: Kysely<MigrationTables>, name: string) {
  return db.schema.createTable(name).modifyEnd(sql`strict, without rowid`);
}

const types: ColumnTypes = { id: 'text', text: 'text', integer: 'integer', time: 'integer', json: 'text' };
