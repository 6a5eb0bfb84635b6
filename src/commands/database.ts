import { existsSync } from 'node:fs';
import { type Database, DatabaseRefused, openDatabase } from '../database.ts';
import { checkSecret, claimDatabase } from '../instance.ts';
import { secretBeside } from '../secret.ts';
import { createVault, type Vault } from '../vault.ts';
import type { Context } from './command.ts';

/** The database of the service and what opens its secrets, for the length of `work`. None is made where there is none. */
export async function withDatabase(
  { config }: Context,
  work: (database: Database, vault: Vault) => Promise<void>,
): Promise<void> {
  const { databaseUrl, secret, previousSecret } = config();
  const path = databaseUrl.slice('sqlite:'.length);
  if (!existsSync(path)) throw new DatabaseRefused(`there is no database ${path}`);
  const vault = createVault(secret ?? secretBeside(databaseUrl), previousSecret);
  const database = await openDatabase(databaseUrl, { accept: facts => checkSecret(facts, vault) });
  try {
    await claimDatabase(database, vault);
    await work(database, vault);
  } finally {
    await database.close();
  }
}
