import type { Database } from '../database.ts';
import { invalidCredentials } from '../errors.ts';
import { canonicalEmail } from '../users/email.ts';
import { findCredentials, lockPasswordHash, updatePasswordHash } from '../users/models.ts';
import type { Caller, Passwords } from '../users/passwords.ts';
import type { Device, Sessions } from './sessions.ts';
import type { Issued, IssuePair } from './token-pairs.ts';

export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Throws `too_many_requests` or `invalid_credentials`, after the same work whether or not there is such a person. */
export type Login = (
  credentials: Credentials,
  caller: Caller,
  device: Device,
  signal?: AbortSignal,
) => Promise<Issued>;

interface LoginOptions {
  readonly database: Database;
  readonly passwords: Passwords;
  readonly sessions: Sessions;
  readonly issue: IssuePair;
}

/** Logins at the same moment may each renew an outdated hash; more than this many in a row is something else. */
const maxAttempts = 3;

export function createLogin({ database, passwords, sessions, issue }: LoginOptions): Login {
  return async ({ email, password }, caller, device, signal) => {
    const opened = await passwords.attempt({ email, caller, signal }, async attempt => {
      for (let count = 0; count < maxAttempts; count++) {
        const person = await findCredentials(database.db, canonicalEmail(email) ?? '');
        const verdict = await attempt.verify(password, person?.password_hash, signal);
        if (!person || verdict === 'wrong') return undefined;
        const renewed = verdict === 'outdated' ? await attempt.rehash(password, signal) : undefined;
        const session = await database.transaction(async tx => {
          // The password was checked outside of the transaction: inside of it the hash has to be the one that was checked.
          if ((await lockPasswordHash(tx, person.id)) !== person.password_hash) return undefined;
          if (renewed !== undefined) await updatePasswordHash(tx, person.id, renewed);
          const started = await sessions.start(tx, person.id, device);
          await attempt.accept(tx);
          return started;
        });
        if (session) return session;
      }
      return undefined;
    });
    if (!opened) throw invalidCredentials('The email address or the password is wrong.');
    return await issue(opened);
  };
}
