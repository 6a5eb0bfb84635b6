import { type Kysely, sql, type Transaction } from 'kysely';
import type { DatabaseOptions } from '../engine.ts';
import { type ColumnTypes, type Migration, requireNothingPending } from '../migrations.ts';
import type { PostgresConnection } from './connection.ts';
import { isTransient } from './failures.ts';
import { inTransaction } from './in-transaction.ts';
import { inspect, type OwnTables } from './inspect.ts';
import { readsAtStart } from './start-reads.ts';

/** How often it is tried, where the server asks for another attempt or other nodes are at it as well. */
const maxAttempts = 5;

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
  const db = readsAtStart<OwnTables>(connection, options);
  const look = (through: Kysely<OwnTables>) => inspect(through, migrations, options.accept);
  let pending = await look(db);
  if (options.migrate === false) requireNothingPending(pending);
  for (let attempt = 1; pending.length > 0; attempt++) {
    const isNew = pending.length === migrations.length;
    try {
      return await inTransaction<OwnTables, void>(connection, async tx => {
        await liftLimits(tx);
        await (isNew ? createHistory(tx) : lockHistory(tx));
        for (const migration of isNew ? migrations : await look(tx)) await apply(tx, migration, now());
      });
    } catch (error) {
      if (!connection.usable || attempt === maxAttempts) throw error;
      const left = await look(db);
      // It is no failure where another node has done the work meanwhile.
      if (left.length === pending.length && !isTransient(error)) throw error;
      pending = left;
    }
  }
}

/**
 * Waits for its turn among all who do this: they lock the first row of the history, which is there for good. The lock
 * ends with the transaction. Not an advisory lock, which engines that speak PostgreSQL's protocol may not have.
 */
export async function lockHistory<Tables>(tx: Transaction<Tables>): Promise<void> {
  const history = sql.table('migrations');
  const { rows } = await sql`select name from ${history} order by name limit 1 for no key update`.execute(tx);
  if (rows.length === 0) throw new Error('the history of migrations is empty');
}

/** Until the end of the transaction: those that a user or a database has are for what the service does. */
async function liftLimits(tx: Transaction<OwnTables>): Promise<void> {
  await sql`select set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true)`.execute(tx);
}

async function apply(tx: Transaction<OwnTables>, { name, up }: Migration, applied_at: Date): Promise<void> {
  const { schema } = tx;
  // A migration sees the schema of its own day, which no type describes.
  const db = tx as unknown as Kysely<Record<string, Record<string, unknown>>>;
  await up({ schema, createTable: table => schema.createTable(table), types, db });
  await tx.insertInto('migrations').values({ name, applied_at }).execute();
}

/** Of many who make the first table at once, the others wait here for the one, and fail when it has committed. */
async function createHistory(tx: Transaction<OwnTables>): Promise<void> {
  await tx.schema
    .createTable('migrations')
    .addColumn('name', types.text, column => column.primaryKey())
    .addColumn('applied_at', types.time, column => column.notNull())
    .execute();
}

export const types = {
  id: 'uuid',
  text: 'text',
  integer: 'bigint',
  time: 'timestamptz',
  json: 'jsonb',
} as const satisfies ColumnTypes;

/** Every unique constraint and index of the schema: its columns, as `table.column`, by its name. */
export async function findConstraints(db: Kysely<unknown>): Promise<ReadonlyMap<string, string>> {
  const { rows } = await sql<{ name: string; columns: string }>`
    select c.relname::text as name,
      string_agg(format('%s.%s', t.relname, a.attname), ', ' order by k.position) as columns
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    join pg_class t on t.oid = i.indrelid and t.relnamespace = to_regnamespace(quote_ident(current_schema()))
    cross join lateral unnest(i.indkey) with ordinality as k (attribute, position)
    join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attribute
    where i.indisunique
    group by c.oid, c.relname`.execute(db);
  return new Map(rows.map(({ name, columns }) => [name, columns]));
}
