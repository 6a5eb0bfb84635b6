import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from './config.ts';
import {
  type Database,
  DatabaseRefused,
  openDatabase,
  type Queries,
  sqlitePath,
  type Transaction,
} from './database.ts';
import { fileOfSecret, SecretGone, secretBeside } from './secret.ts';
import { createVault, type Vault } from './vault.ts';

const name = 'secret_fingerprint';

/**
 * With the secret of the settings, or else the one that lies beside the database. What is not our database at all is
 * refused as that, and not because its secret is gone.
 */
export async function openVault({
  secret,
  previousSecret,
  databaseUrl,
}: Pick<Config, 'secret' | 'previousSecret' | 'databaseUrl'>): Promise<Vault> {
  try {
    return createVault(secret ?? secretBeside(databaseUrl), previousSecret);
  } catch (error) {
    if (error instanceof SecretGone) await refuseWhatIsNotOurs(databaseUrl, error);
    throw error;
  }
}

/** Changes nothing. Throws `DatabaseRefused`, or `reason` where it is our database. */
async function refuseWhatIsNotOurs(databaseUrl: string, reason: Error): Promise<void> {
  const accept = () => {
    throw reason;
  };
  await (await openDatabase(databaseUrl, { migrate: false, accept })).close();
}

/** Why a database must not be opened with this secret, for the operator; undefined when it may. */
export function checkSecret(facts: ReadonlyMap<string, string>, vault: Vault): string | undefined {
  const fingerprint = facts.get(name);
  return fingerprint === undefined || vault.matches(fingerprint)
    ? undefined
    : 'was made with another secret: bring back the one it was made with, or give that one as SECRET_PREVIOUS';
}

/**
 * Marks a new database as made with this secret; whether it was new. Throws `DatabaseRefused` when another node was first,
 * with another.
 */
export async function claimDatabase(database: Database, vault: Vault): Promise<boolean> {
  const before = await findFingerprint(database.db);
  const isNew = before === undefined && (await insertFingerprint(database, vault));
  const found = before ?? (await findFingerprint(database.db)) ?? vault.fingerprint;
  const objection = checkSecret(new Map([[name, found]]), vault);
  if (objection !== undefined) throw new DatabaseRefused(`the database ${objection}`);
  return isNew;
}

/** Whether none was there: of many nodes one is first. */
async function insertFingerprint(database: Database, { fingerprint }: Vault): Promise<boolean> {
  const inserted = await database.statement(tx =>
    tx
      .insertInto('instance')
      .values({ name, value: fingerprint })
      .onConflict(conflict => conflict.column('name').doNothing())
      .returning('name')
      .execute(),
  );
  return inserted.length > 0;
}

/** Marks a database as belonging to the new secret alone, when nothing in it is sealed with the old one any more. */
export async function reclaimDatabase(tx: Transaction, vault: Vault): Promise<void> {
  await tx.updateTable('instance').set({ value: vault.fingerprint }).where('name', '=', name).execute();
}

/** Of the files with what is secret in them, those that other users of the machine may read or change. */
export function exposedFiles({ databaseUrl, secret }: Pick<Config, 'databaseUrl' | 'secret'>): string[] {
  const path = sqlitePath(databaseUrl);
  // Windows says of every file that all may read it.
  if (path === undefined || path === ':memory:' || process.platform === 'win32') return [];
  const files = [path, ...(secret ? [] : [fileOfSecret(databaseUrl)])];
  return files.map(file => resolve(file)).filter(file => (statSync(file).mode & 0o007) !== 0);
}

async function findFingerprint(db: Queries): Promise<string | undefined> {
  const row = await db.selectFrom('instance').where('name', '=', name).select('value').executeTakeFirst();
  return row?.value;
}
