import type { Clock } from '../clock.ts';
import type { Database } from '../database.ts';
import { invalidCredentials, unauthenticated } from '../errors.ts';
import { newId } from '../ids.ts';
import { canonicalEmail } from './email.ts';
import { deleteUser, findPasswordHash, insertUser, renameUser, type User } from './models.ts';
import type { By, Caller, Passwords } from './passwords.ts';

export interface Accounts {
  /** Throws `too_many_requests` or `email_taken`. */
  register(person: Registration, caller: Caller, signal?: AbortSignal): Promise<User>;
  /** Throws `invalid_token` when the person was deleted meanwhile. */
  rename(userId: string, name: string | null): Promise<User>;
  /**
   * Deletes the person and all that is theirs. Throws `too_many_requests`, or `invalid_credentials` when the password is
   * not theirs.
   */
  remove(removal: Removal, signal?: AbortSignal): Promise<void>;
}

export interface Registration {
  readonly email: string;
  readonly password: string;
  readonly name?: string | null;
}

export interface Removal extends Pick<By, 'caller'> {
  readonly user: Pick<User, 'id' | 'email'>;
  /** The session that asks. */
  readonly sessionId: string;
  readonly password: string;
}

interface AccountOptions {
  readonly database: Database;
  readonly passwords: Passwords;
  readonly clock: Clock;
}

/** Of the hashing engine: those who are somebody go before those who want to be, but do not keep them out. */
const afterLogins = 1;

export function createAccounts({ database, passwords, clock }: AccountOptions): Accounts {
  return {
    async register({ email, password, name = null }, caller, signal) {
      const canonical = canonicalEmail(email);
      if (canonical === undefined) throw new TypeError('the address was not checked');
      // Hashed also where the address turns out to be taken: only the insert decides that.
      const hashNew = await passwords.admitNew({ caller, priority: afterLogins });
      const hash = await hashNew(password, signal);
      const now = clock();
      const id = newId();
      return await database.statement(tx =>
        insertUser(tx, {
          id,
          email,
          email_canonical: canonical,
          name,
          password_hash: hash,
          created_at: now,
          updated_at: now,
        }),
      );
    },

    async rename(userId, name) {
      const user = await database.statement(tx => renameUser(tx, userId, name, clock()));
      if (!user) throw unauthenticated('invalid_token');
      return user;
    },

    async remove({ user, sessionId, caller, password }, signal) {
      const by = { email: user.email, caller, sessionId, signal };
      const removed = await passwords.attempt(by, async attempt => {
        const hash = await findPasswordHash(database.db, user.id);
        if ((await attempt.verify(password, hash, signal)) === 'wrong') return undefined;
        return await database.transaction(async tx => {
          // The password may have been changed while this one was being checked: then it is not the current one any more.
          if (hash === undefined || !(await deleteUser(tx, user.id, hash))) return undefined;
          await attempt.forgetSources(tx);
          return true;
        });
      });
      if (!removed) throw invalidCredentials('The password is wrong.');
    },
  };
}
