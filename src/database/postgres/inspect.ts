import { type Kysely, sql } from 'kysely';
import type { DatabaseOptions } from '../engine.ts';
import { DatabaseRefused } from '../errors.ts';
import { type Migration, pendingMigrations } from '../migrations.ts';

export interface OwnTables {
  migrations: { name: string; applied_at: Date };
  instance: { name: string; value: string };
}

/** The migrations that are still to be applied. Throws when this is not a database to work with; changes nothing. */
export async function inspect(
  db: Kysely<OwnTables>,
  migrations: readonly Migration[],
  accept: DatabaseOptions['accept'] = () => undefined,
): Promise<readonly Migration[]> {
  const { schema, tables } = await findTables(db);
  const [some] = tables;
  if (some === undefined) return migrations;
  if (!tables.includes('migrations') || !tables.includes('instance')) {
    throw new DatabaseRefused(`is not a Plinth database: its schema ${schema} has the table ${some}`);
  }
  const applied = await db.selectFrom('migrations').select(['name', 'applied_at']).execute();
  const pending = pendingMigrations(
    migrations,
    applied.map(({ name }) => name),
  );
  const facts = await db.selectFrom('instance').select(['name', 'value']).execute();
  const objection = accept(new Map(facts.map(({ name, value }) => [name, value])));
  if (objection !== undefined) throw new DatabaseRefused(objection);
  return pending;
}

/** Of the schema in which an unqualified name is made; those that came with an extension are nobody's. */
async function findTables(db: Kysely<OwnTables>) {
  const { rows } = await sql<{ schema: string | null; encoding: string; tables: string[] }>`
    select current_schema() as schema, current_setting('server_encoding') as encoding, array(
      select relname::text from pg_class
      where relnamespace = to_regnamespace(quote_ident(current_schema())) and relkind in ('r', 'p', 'v', 'm', 'f')
        and not exists (
          select from pg_depend
          where classid = 'pg_class'::regclass and objid = pg_class.oid and deptype = 'e'
        )
      order by relname
    ) as tables`.execute(db);
  const [{ schema, encoding, tables } = { schema: null, encoding: '', tables: [] }] = rows;
  if (schema === null) throw new DatabaseRefused('has no schema that this user may use');
  // Names and addresses may have any character.
  if (encoding !== 'UTF8') throw new DatabaseRefused(`has the encoding ${encoding}, and not UTF8`);
  return { schema, tables };
}
