import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { addSeconds, type Clock } from '../clock.ts';
import type { Database, Transaction } from '../database.ts';
import type { Vault } from '../vault.ts';
import {
  algorithm,
  findAllKeys,
  findKeys,
  firstGap,
  insertKey,
  type SigningKey,
  signerAt,
  updateKey,
} from './key-models.ts';

/** What an operator does with the signing keys. Running nodes follow within `maxStaleness`. */
export interface KeyOperations {
  list(): Promise<readonly SigningKey[]>;
  /** Adds a key, published at once, that signs when every cache of the public keys has it; the others retire then. */
  rotate(): Promise<SigningKey>;
  /** Stops a key from signing; what it signed counts until it expires. Throws `KeyRefused`. */
  retire(kid: string): Promise<void>;
  /** Makes all that a key ever signed count for nothing, within `maxStaleness` where a node has it; another signs in its place. Throws `KeyRefused`. */
  revoke(kid: string): Promise<void>;
}

/** The operation makes no sense; the message is for the operator. */
export class KeyRefused extends Error {
  override readonly name = 'KeyRefused';
}

interface KeyOptions {
  readonly database: Database;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Seconds. */
  readonly accessTokenTtl: number;
}

/** Seconds for which others may keep the public keys. */
export const publicKeysMaxAge = 300;
/** Seconds for which a node may keep the keys without looking at the database. */
export const maxStaleness = 30;
/** Seconds between the publication of a key and its first signature: all caches have run out by then, twice. */
const lead = 2 * (publicKeysMaxAge + maxStaleness);
/** Seconds for which a token may come from a node that has not heard yet, and for the difference of clocks. */
const margin = 2 * maxStaleness;

export function createKeyOperations({ database, vault, clock, accessTokenTtl }: KeyOptions): KeyOperations {
  async function retireAt(tx: Transaction, { id }: SigningKey, when: Date): Promise<void> {
    const until = addSeconds(when, accessTokenTtl + margin);
    await updateKey(tx, id, { retired_at: when, verifies_until_at: until });
  }

  return {
    list: async () => await findKeys(database.db, clock()),

    async rotate() {
      const now = clock();
      const made = await makeKey(vault, now);
      return await database.exclusive(async tx => {
        const others = await findKeys(tx, now);
        const signs_from_at = signerAt(others, now) ? addSeconds(now, lead) : now;
        for (const other of others) {
          if (other.retired_at === null) await retireAt(tx, other, signs_from_at);
        }
        const key = { ...made, signs_from_at };
        await insertKey(tx, key);
        return key;
      });
    },

    async retire(kid) {
      await database.exclusive(async tx => {
        const now = clock();
        const keys = await findKeys(tx, now);
        const key = named(keys, kid);
        if (key.retired_at !== null && key.retired_at <= now)
          throw new KeyRefused(`${kid} is retired already`);
        const gap = firstGap(without(keys, key), now);
        if (gap) throw new KeyRefused(`nothing else signs from ${gap.toISOString()} on: rotate first`);
        await retireAt(tx, key, now);
      });
    },

    async revoke(kid) {
      const now = clock();
      const replacement = await makeKey(vault, now);
      await database.exclusive(async tx => {
        const keys = await findKeys(tx, now);
        const key = named(keys, kid);
        await updateKey(tx, key.id, { retired_at: now, verifies_until_at: now });
        const gap = firstGap(without(keys, key), now);
        if (gap) await insertKey(tx, { ...replacement, signs_from_at: gap });
      });
    },
  };
}

/** Makes a key where none signs. Of two nodes that start at once, the second finds the first one's. */
export async function ensureKey(database: Database, vault: Vault, now: Date): Promise<void> {
  if (signerAt(await findKeys(database.db, now), now)) return;
  const key = await makeKey(vault, now);
  await database.exclusive(async tx => {
    if (!signerAt(await findKeys(tx, now), now)) await insertKey(tx, key);
  });
}

/** Encrypts every private key anew, under the vault's new secret; how many. */
export async function resealKeys(tx: Transaction, vault: Vault): Promise<number> {
  const rows = await findAllKeys(tx);
  for (const { id, private_encrypted } of rows) {
    const text = vault.open(private_encrypted, sealContext(id));
    await updateKey(tx, id, { private_encrypted: vault.seal(text, sealContext(id)) });
  }
  return rows.length;
}

function named(keys: readonly SigningKey[], kid: string): SigningKey {
  const key = keys.find(({ id }) => id === kid);
  if (!key) throw new KeyRefused(`there is no key ${kid}`);
  return key;
}

function without(keys: readonly SigningKey[], key: SigningKey): SigningKey[] {
  return keys.filter(other => other !== key);
}

async function makeKey(vault: Vault, now: Date): Promise<SigningKey> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(publicJwk);
  return {
    id: kid,
    algorithm,
    public_jwk: JSON.stringify({ ...publicJwk, kid, alg: algorithm, use: 'sig' }),
    private_encrypted: vault.seal(JSON.stringify(await exportJWK(pair.privateKey)), sealContext(kid)),
    created_at: now,
    signs_from_at: now,
    retired_at: null,
    verifies_until_at: null,
  };
}

/** What the vault ties a private key to. */
export function sealContext(kid: string): string {
  return `signing key ${kid}`;
}
