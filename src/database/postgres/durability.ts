import { sql } from 'kysely';
import type { PostgresConnection } from './connection.ts';
import { kyselyOn } from './dialect.ts';
import { Lease } from './turn.ts';

/**
 * Those settings of the server that are off for this user, and without which it may lose what it said it has committed.
 * An engine that does not have one has nothing off.
 */
export async function findSettingsOff(connection: PostgresConnection): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select name from (values ('fsync'), ('full_page_writes'), ('synchronous_commit')) as settings (name)
    where current_setting(name, true) = 'off'`.execute(kyselyOn(new Lease(connection)));
  return rows.map(({ name }) => name);
}
