import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';
import type { Static } from 'typebox';
import { Parse } from 'typebox/value';
import type { Clock } from '../clock.ts';
import type { Database, Queries, Transaction } from '../database.ts';
import type { Vault } from '../vault.ts';
import type { SigningKeysTable } from './models.ts';
import { Jwks } from './schemas.ts';

/** The one algorithm. A key is bound to it when it is made and again when it is loaded; no token has a say. */
export const algorithm = 'ES256';

/** The signing keys, in memory. */
export interface Keyring {
  readonly signing: { readonly kid: string; readonly key: CryptoKey };
  /** By exact `kid`; undefined for every other. */
  verifying(kid: string): CryptoKey | undefined;
  readonly jwks: Static<typeof Jwks>;
}

/** Loads the keys, and makes the first one where there is none. Throws when the vault cannot open one. */
export async function loadKeyring(database: Database, vault: Vault, clock: Clock): Promise<Keyring> {
  if ((await findKeys(database.db)).length === 0) await addKey(database, vault, clock);
  const rows = await findKeys(database.db);
  const [newest] = rows;
  if (!newest) throw new Error('there is no signing key');
  const verifying = new Map<string, CryptoKey>();
  for (const row of rows) verifying.set(row.id, await importKey(JSON.parse(row.public_jwk)));
  return {
    signing: {
      kid: newest.id,
      key: await importKey(JSON.parse(vault.open(newest.private_encrypted, context(newest.id)))),
    },
    verifying: kid => verifying.get(kid),
    jwks: Parse(Jwks, { keys: rows.map(row => JSON.parse(row.public_jwk)) }),
  };
}

/** Two nodes that start at once on an empty database may come here together: the second finds the first one's key. */
async function addKey(database: Database, vault: Vault, clock: Clock): Promise<void> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  const row: SigningKeysTable = {
    id: kid,
    algorithm,
    public_jwk: JSON.stringify({ ...publicJwk, kid, alg: algorithm, use: 'sig' }),
    private_encrypted: vault.seal(JSON.stringify(await exportJWK(pair.privateKey)), context(kid)),
    created_at: clock(),
  };
  await database.transaction(async tx => {
    if ((await findKeys(tx)).length === 0) await insertKey(tx, row);
  });
}

async function findKeys(db: Queries): Promise<SigningKeysTable[]> {
  return await db
    .selectFrom('signing_keys')
    .selectAll()
    .where('algorithm', '=', algorithm)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute();
}

async function insertKey(tx: Transaction, row: SigningKeysTable): Promise<void> {
  await tx.insertInto('signing_keys').values(row).execute();
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm);
  if (key instanceof Uint8Array) throw new Error('a signing key is not an asymmetric key');
  return key;
}

function context(kid: string): string {
  return `signing key ${kid}`;
}
