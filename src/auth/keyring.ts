import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { Static } from 'typebox';
import type { Clock } from '../clock.ts';
import { DatabaseRefused, type Queries } from '../database.ts';
import type { Vault } from '../vault.ts';
import { algorithm, findKeys, type SigningKey, signerAt, signsAt, verifiesAt } from './key-models.ts';
import { maxStaleness, sealContext } from './keys.ts';
import type { Jwks } from './schemas.ts';

/** The signing keys in memory, never older than `maxStaleness`, so that nodes follow each other without a restart. */
export interface Keyring {
  /** Rejects only while there is no key to sign with. */
  signer(): Promise<{ readonly kid: string; readonly key: CryptoKey }>;
  /** By exact `kid`; undefined for every other, without a look-up. */
  verifier(kid: string): Promise<CryptoKey | undefined>;
  /** Those whose signatures count or will count (RFC 7517). */
  jwks(): Promise<Static<typeof Jwks>>;
}

export interface KeyTimes extends Pick<SigningKey, 'signs_from_at' | 'retired_at' | 'verifies_until_at'> {
  readonly kid: string;
}

interface KeyringOptions {
  readonly db: Queries;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonic: () => number;
  /** Told what keys there are, at first and whenever they are others than before. */
  readonly onChange: (keys: readonly KeyTimes[]) => void;
  /** Told when the keys cannot be read again; those in memory go on. */
  readonly onFailure: (cause: unknown) => void;
}

interface Loaded {
  readonly row: SigningKey;
  readonly publicJwk: Static<typeof Jwks>['keys'][number];
  readonly publicKey: CryptoKey;
  /** Of those that sign now or later. */
  readonly privateKey: CryptoKey | undefined;
}

/** Throws `DatabaseRefused` when a key cannot be read, or the vault cannot open one that signs. */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  const { db, clock, monotonic, onChange, onFailure } = options;
  let told = '';
  let keys = await load(options);
  let loadedAt = monotonic();
  let loading: Promise<void> | undefined;
  tell();

  function tell(): void {
    const times = Array.from(keys.values(), timesOf);
    const text = JSON.stringify(times);
    if (text !== told) onChange(times);
    told = text;
  }

  async function reload(): Promise<void> {
    try {
      keys = await load(options);
      tell();
    } catch (error) {
      onFailure(error);
    }
    loadedAt = monotonic();
    loading = undefined;
  }

  async function fresh(): Promise<ReadonlyMap<string, Loaded>> {
    if (monotonic() - loadedAt > maxStaleness * 1000) {
      const reloaded = (): Promise<void> => (loading ??= reload());
      await (db.share ? db.share(reloaded) : reloaded());
    }
    return keys;
  }

  return {
    async signer() {
      const found = await fresh();
      const kid =
        signerAt(
          Array.from(found.values(), ({ row }) => row),
          clock(),
        )?.id ?? '';
      const key = found.get(kid)?.privateKey;
      if (!key) throw new Error('there is no key to sign with');
      return { kid, key };
    },

    async verifier(kid) {
      const key = (await fresh()).get(kid);
      return key && verifiesAt(key.row, clock()) ? key.publicKey : undefined;
    },

    async jwks() {
      const found = [...(await fresh()).values()];
      return { keys: found.filter(({ row }) => verifiesAt(row, clock())).map(({ publicJwk }) => publicJwk) };
    },
  };
}

async function load({ db, vault, clock }: KeyringOptions): Promise<ReadonlyMap<string, Loaded>> {
  const now = clock();
  const rows = await findKeys(db, now);
  const loaded = await Promise.all(
    rows.map(row =>
      loadKey(row, vault, now).catch(cause => {
        throw new DatabaseRefused(
          `the signing key ${row.id} in the database is damaged: bring a backup back or revoke it (${cause})`,
          { cause },
        );
      }),
    ),
  );
  return new Map(loaded.map(key => [key.row.id, key]));
}

async function loadKey(row: SigningKey, vault: Vault, now: Date): Promise<Loaded> {
  const signs = signsAt(row, now) || (row.signs_from_at ?? now) > now;
  const privateJwk = signs ? vault.open(row.private_encrypted, sealContext(row.id)) : undefined;
  const publicJwk = JSON.parse(row.public_jwk) as Loaded['publicJwk'];
  return {
    row,
    publicJwk,
    publicKey: await importKey(publicJwk),
    privateKey: privateJwk === undefined ? undefined : await importKey(JSON.parse(privateJwk)),
  };
}

function timesOf({ row: { id, signs_from_at, retired_at, verifies_until_at } }: Loaded): KeyTimes {
  return { kid: id, signs_from_at, retired_at, verifies_until_at };
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm);
  if (key instanceof Uint8Array) throw new Error('a signing key is not an asymmetric key');
  return key;
}
