import { existsSync } from 'node:fs';
import { type Database, DatabaseRefused, openDatabase, sqlitePath } from '../database.ts';
import { checkSecret, claimDatabase, openVault } from '../instance.ts';
import type { Vault } from '../vault.ts';
import type { Context } from './command.ts';

/**
 * The database of the service and what opens its secrets, for the length of `work`. As it is, none is made where there is
 * none, and it is migrated where the settings say so.
 */
export async function withDatabase(
  { config }: Context,
  work: (database: Database, vault: Vault) => Promise<void>,
  state: 'as it is' | 'made or migrated' = 'as it is',
): Promise<void> {
  const { databaseUrl, secret, previousSecret, ...settings } = config();
  const path = sqlitePath(databaseUrl);
  const asItIs = state === 'as it is';
  if (asItIs && path !== undefined && !existsSync(path))
    throw new DatabaseRefused(`there is no database ${path}`);
  const vault = await openVault({ secret, previousSecret, databaseUrl });
  const database = await openDatabase(databaseUrl, {
    accept: facts => checkSecret(facts, vault),
    migrate: settings.migrate || !asItIs,
    connections: 1,
  });
  try {
    await claimDatabase(database, vault);
    await work(database, vault);
  } finally {
    await database.close();
  }
}
