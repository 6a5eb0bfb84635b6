import type { Database } from './database.ts';
import type { Vault } from './vault.ts';

const name = 'secret_fingerprint';

/** Why a database must not be opened with this secret, for the operator; undefined when it may. */
export function checkSecret(facts: ReadonlyMap<string, string>, vault: Vault): string | undefined {
  const fingerprint = facts.get(name);
  return fingerprint === undefined || vault.matches(fingerprint)
    ? undefined
    : 'was made with another secret: bring back the one it was made with';
}

/** Marks a new database as made with this secret. */
export async function claimDatabase(database: Database, vault: Vault): Promise<void> {
  const find = (db: Database['db']) =>
    db.selectFrom('instance').where('name', '=', name).select('value').executeTakeFirst();
  if (await find(database.db)) return;
  await database.transaction(async tx => {
    if (!(await find(tx)))
      await tx.insertInto('instance').values({ name, value: vault.fingerprint }).execute();
  });
}
