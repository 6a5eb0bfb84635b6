import { type Kysely, sql } from 'kysely';

/**
 * Those settings of the server that are off for this user, and without which it may lose what it said it has committed.
 * An engine that does not have one has nothing off.
 */
export async function findSettingsOff(db: Kysely<unknown>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select name from (values ('fsync'), ('full_page_writes'), ('synchronous_commit')) as settings (name)
    where current_setting(name, true) = 'off'`.execute(db);
  return rows.map(({ name }) => name);
}
