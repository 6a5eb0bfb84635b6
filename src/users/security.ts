import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type BcryptEngine, type BcryptWork, Overloaded } from '../bcrypt/engine.ts';
import { unavailable } from '../errors.ts';
import { encodeBase64, formatHash, parseHash, type StoredHash } from './bcrypt-formats.ts';
import { normalizePassword } from './password-policy.ts';

/** Without any limit: only `passwords.ts`, which has them, uses it. */
export interface PasswordHasher {
  /** Throws `Overloaded` where a hash would be refused now. */
  admit(): void;

  /**
   * The hash to store: standard `$2b$` where bcrypt sees the whole password, else Passlib's `$bcrypt-sha256$`, so that
   * nothing is ever truncated.
   */
  hash(password: string, signal?: AbortSignal): Promise<string>;

  /**
   * Whether the password is the stored one. Takes the same time for any outcome, and for `undefined`: that is how a
   * login asks for somebody who does not exist. `outdated`: it is right, and should be hashed again, at today's cost.
   * Throws an error of the engine only where nothing was compared.
   */
  verify(password: string, stored: string | undefined, signal?: AbortSignal): Promise<Verdict>;
}

export type Verdict = 'wrong' | 'right' | 'outdated';

/** `priority` and `flow`: of all that is asked of the engine. */
interface HasherOptions extends Pick<BcryptWork, 'priority' | 'flow'> {
  readonly engine: BcryptEngine;
  /** Binary logarithm of the rounds for new hashes. */
  readonly cost: number;
  /** Told of a stored hash that cannot be used; never of its value. */
  readonly onUnusable: () => void;
}

export function createPasswordHasher(options: HasherOptions): PasswordHasher {
  const { engine, cost, onUnusable, priority, flow } = options;
  const digest: Digest = work => engine.digest({ ...work, priority, flow });
  return {
    admit() {
      const refusal = engine.refusal?.({ priority, flow });
      if (refusal) throw refusal;
    },

    async hash(password, signal) {
      const bytes = bytesOf(password);
      const scheme = fitsBcrypt(bytes) ? 'plain' : 'sha256';
      const salt = randomBytes(16);
      const saltText = encodeBase64(salt);
      const made = await compute(digest, bytes, { scheme, cost, saltText, salt }, signal);
      return formatHash(scheme, cost, saltText, made);
    },

    async verify(password, stored, signal) {
      const target = stored === undefined ? undefined : parseHash(stored);
      if (stored !== undefined && target === undefined) onUnusable();
      const bytes = bytesOf(password);
      // A password that plain bcrypt would not see whole is never the one that such a hash was made of.
      const comparable = target !== undefined && (target.scheme !== 'plain' || fitsBcrypt(bytes));
      const made = await compute(digest, comparable ? bytes : dummy(), target ?? nobody(cost), signal);
      bytes.fill(0);
      if (comparable && timingSafeEqual(made, target.digest)) {
        return target.cost < cost || target.scheme === 'sha256-v1' ? 'outdated' : 'right';
      }
      await equalize(digest, target?.cost ?? cost, cost, signal);
      return 'wrong';
    },
  };
}

/** Stands in for the hash of somebody who does not exist. */
function nobody(cost: number): StoredHash {
  const salt = new Uint8Array(16);
  return { scheme: 'plain', cost, saltText: encodeBase64(salt), salt, digest: new Uint8Array(23) };
}

function dummy(): Buffer {
  return Buffer.from('nobody');
}

/**
 * A wrong password for an old, cheaper hash would be answered sooner than one for nobody, and so tell that somebody is
 * there. Each cost from the old one up to today's once more adds up to the rest exactly: 2^a + 2^a + … + 2^(b-1) = 2^b.
 */
async function equalize(digest: Digest, from: number, to: number, signal?: AbortSignal): Promise<void> {
  try {
    for (let cost = from; cost < to; cost++) await compute(digest, dummy(), nobody(cost), signal);
  } catch (error) {
    // By now the password was found to be wrong, and an attempt at it is not to be had for nothing.
    throw error instanceof Overloaded ? unavailable('overloaded', error.retryAfter, error) : error;
  }
}

type Digest = (work: Omit<BcryptWork, 'priority' | 'flow'>) => Promise<Uint8Array>;

type Recipe = Pick<StoredHash, 'scheme' | 'cost' | 'saltText' | 'salt'>;

/** bcrypt of the bytes, by the scheme. The bytes are overwritten. */
async function compute(
  digest: Digest,
  bytes: Buffer,
  { scheme, cost, saltText, salt }: Recipe,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const password = scheme === 'plain' ? bytes : sha256Key(scheme, bytes, saltText);
  const made = digest({ password, salt, cost, signal });
  // The engine has its own copy by now.
  password.fill(0);
  bytes.fill(0);
  return await made;
}

/** Passlib's `bcrypt_sha256`: 44 bytes for bcrypt, the HMAC or (version 1) the hash of the password in base64. */
function sha256Key(scheme: 'sha256' | 'sha256-v1', bytes: Uint8Array, saltText: string): Buffer {
  const hash = scheme === 'sha256' ? createHmac('sha256', saltText) : createHash('sha256');
  return Buffer.from(hash.update(bytes).digest('base64'));
}

function bytesOf(password: string): Buffer {
  return Buffer.from(normalizePassword(password));
}

/** bcrypt reads 72 bytes and stops at a NUL. */
function fitsBcrypt(bytes: Uint8Array): boolean {
  return bytes.length <= 72 && !bytes.includes(0);
}
