import { sql } from 'kysely';
import type { BulkTable } from '../bulk.ts';
import type { PostgresConnection } from './connection.ts';
import { kyselyOn } from './dialect.ts';
import { Lease } from './turn.ts';

/** Of the schema in which an unqualified name is found, but for the history of migrations. */
export async function findTables(connection: PostgresConnection): Promise<BulkTable[]> {
  const { rows } = await sql<BulkTable>`
    select t.relname::text as name,
      array(
        select attname::text from pg_attribute where attrelid = t.oid and attnum > 0 and not attisdropped
      ) as columns,
      array(
        select attname::text from pg_constraint c join pg_attribute on attrelid = t.oid and attnum = any (c.conkey)
        where c.conrelid = t.oid and c.contype = 'p'
      ) as keys,
      array(
        select attname::text from pg_attribute where attrelid = t.oid and atttypid in ('json'::regtype, 'jsonb'::regtype)
      ) as json,
      array(
        select distinct other.relname::text from pg_constraint c join pg_class other on other.oid = c.confrelid
        where c.conrelid = t.oid and c.contype = 'f'
      ) as "refersTo"
    from pg_class t
    where t.relnamespace = to_regnamespace(quote_ident(current_schema())) and t.relkind in ('r', 'p')
      and t.relname <> 'migrations'
    order by t.relname`.execute(kyselyOn(new Lease(connection)));
  return rows;
}

export async function lock(
  connection: PostgresConnection,
  tables: readonly BulkTable[],
  mode: 'share' | 'exclusive',
): Promise<void> {
  await connection.command(`lock table ${listed(tables)} in ${mode} mode`);
}

export function listed(tables: readonly BulkTable[]): string {
  return tables.map(({ name }) => `"${name}"`).join(', ');
}
