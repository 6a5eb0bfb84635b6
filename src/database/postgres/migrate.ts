import { type Kysely, sql, type Transaction } from 'kysely';
import type { DatabaseOptions } from '../engine.ts';
import { type ColumnTypes, type Migration, requireNothingPending } from '../migrations.ts';
import type { PostgresConnection } from './connection.ts';
import { kyselyOn } from './dialect.ts';
import { inTransaction, lockName } from './in-transaction.ts';
import { inspect, type OwnTables } from './inspect.ts';
import { Lease } from './turn.ts';

/**
 * Brings the schema up to date, all steps in one transaction. Of many nodes that start at once one does it, and the
 * others wait for it and find nothing to do. Where nothing is to be done nothing is locked, and reading is enough.
 */
export async function migrate(
  connection: PostgresConnection,
  migrations: readonly Migration[],
  options: DatabaseOptions,
  now: () => Date,
): Promise<void> {
  const db = kyselyOn<OwnTables>(new Lease(connection));
  const pending = await inspect(db, migrations, options.accept);
  if (options.migrate === false) requireNothingPending(pending);
  if (pending.length === 0) return;
  await inTransaction<OwnTables, void>(connection, async tx => {
    await lockName(tx, 'migrations');
    for (const { name, up } of await inspect(tx, migrations, options.accept)) {
      if (name === migrations[0]?.name) await createHistory(tx);
      const { schema } = tx;
      // A migration sees the schema of its own day, which no type describes.
      const rows = tx as unknown as Kysely<Record<string, Record<string, unknown>>>;
      await up({ schema, createTable: table => schema.createTable(table), types, db: rows });
      await tx.insertInto('migrations').values({ name, applied_at: now() }).execute();
    }
  });
}

async function createHistory(tx: Transaction<OwnTables>): Promise<void> {
  await tx.schema
    .createTable('migrations')
    .addColumn('name', types.text, column => column.primaryKey())
    .addColumn('applied_at', types.time, column => column.notNull())
    .execute();
}

const types: ColumnTypes = {
  id: 'uuid',
  text: 'text',
  integer: 'bigint',
  time: 'timestamptz',
  json: 'jsonb',
};

/** Every unique constraint and index of the schema: its columns, as `table.column`, by its name. */
export async function findConstraints(connection: PostgresConnection): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql<{ name: string; columns: string }>`
    select c.relname::text as name,
      string_agg(format('%s.%s', t.relname, a.attname), ', ' order by k.position) as columns
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_class t on t.oid = i.indrelid and t.relnamespace = to_regnamespace(quote_ident(current_schema()))
    cross join lateral unnest(i.indkey) with ordinality as k (attribute, position)
    join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attribute
    where i.indisunique
    group by c.oid, c.relname`.execute(kyselyOn(new Lease(connection)));
  return new Map(rows.map(({ name, columns }) => [name, columns]));
}
