import { addSeconds, type Clock } from '../clock.ts';
import type { Database, Transaction } from '../database.ts';
import { Problem } from '../errors.ts';
import { newId } from '../ids.ts';
import { canonicalEmail } from '../users/email.ts';
import { findCredentials, findPasswordHash, updatePasswordHash } from '../users/models.ts';
import type { PasswordHasher } from '../users/security.ts';
import { insertSession } from './models.ts';
import { newRefreshToken } from './refresh-tokens.ts';
import type { AccessTokens } from './tokens.ts';

export interface Sessions {
  /** Throws `invalid_credentials`, after the same work whether or not there is such a person. */
  login(credentials: Credentials, device: Device, signal?: AbortSignal): Promise<TokenPair>;
}

export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Where a login came from, as the person will see it in the list of their sessions. */
export interface Device {
  readonly userAgent: string | undefined;
  readonly ip: string;
}

/** RFC 6749, section 5.1. Lifetimes in seconds. */
export interface TokenPair {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly refresh_expires_in: number;
}

export interface Lifetimes {
  /** Seconds each. */
  readonly accessTokenTtl: number;
  readonly refreshTokenTtl: number;
  readonly sessionTtl: number;
}

interface SessionOptions {
  readonly database: Database;
  readonly passwords: PasswordHasher;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
  readonly lifetimes: Lifetimes;
}

/** Logins at the same moment may each renew an outdated hash; more than this many in a row is something else. */
const maxAttempts = 3;

export function createSessions({ database, passwords, tokens, clock, lifetimes }: SessionOptions): Sessions {
  /** The password is checked outside of the transaction, so inside of it the hash has to be the one checked. */
  async function login(credentials: Credentials, device: Device, signal?: AbortSignal): Promise<TokenPair> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const person = await findCredentials(database.db, canonicalEmail(credentials.email) ?? '');
      const verdict = await passwords.verify(credentials.password, person?.password_hash, signal);
      if (!person || verdict === 'wrong') break;
      const renewed = verdict === 'outdated' ? await passwords.hash(credentials.password, signal) : undefined;
      const pair = await database.transaction(async tx => {
        if ((await findPasswordHash(tx, person.id)) !== person.password_hash) return undefined;
        if (renewed !== undefined) await updatePasswordHash(tx, person.id, renewed);
        return await start(tx, person.id, device);
      });
      if (pair) return { ...pair.tokens, access_token: await tokens.issue(person.id, pair.sid) };
    }
    throw new Problem('invalid_credentials', 'The email address or the password is wrong.');
  }

  async function start(tx: Transaction, userId: string, device: Device) {
    const now = clock();
    const refresh = newRefreshToken();
    const sid = newId();
    // The idle end is never after the absolute one.
    const refreshTtl = Math.min(lifetimes.refreshTokenTtl, lifetimes.sessionTtl);
    await insertSession(tx, {
      id: sid,
      user_id: userId,
      created_at: now,
      last_used_at: now,
      expires_at: addSeconds(now, lifetimes.sessionTtl),
      refresh_expires_at: addSeconds(now, refreshTtl),
      refresh_family_hash: refresh.familyHash,
      refresh_hash: refresh.hash,
      user_agent: device.userAgent?.slice(0, 512) ?? null,
      ip: device.ip,
    });
    return {
      sid,
      tokens: {
        token_type: 'bearer' as const,
        expires_in: lifetimes.accessTokenTtl,
        refresh_token: refresh.token,
        refresh_expires_in: refreshTtl,
      },
    };
  }

  return { login };
}
