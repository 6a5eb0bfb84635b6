import type { Clock } from '../clock.ts';
import type { Database } from '../database.ts';
import { invalidCredentials, unauthenticated } from '../errors.ts';
import { newId } from '../ids.ts';
import { canonicalEmail } from './email.ts';
import { deleteUser, findPasswordHash, insertUser, renameUser, type User } from './models.ts';
import type { PasswordHasher } from './security.ts';

export interface Accounts {
  /** Throws `email_taken`. */
  register(person: Registration, signal?: AbortSignal): Promise<User>;
  /** Throws `invalid_token` when the person was deleted meanwhile. */
  rename(userId: string, name: string | null): Promise<User>;
  /** Deletes the person and all that is theirs. Throws `invalid_credentials` when the password is not theirs. */
  remove(userId: string, password: string, signal?: AbortSignal): Promise<void>;
}

export interface Registration {
  readonly email: string;
  readonly password: string;
  readonly name?: string | null;
}

interface AccountOptions {
  readonly database: Database;
  readonly passwords: PasswordHasher;
  readonly clock: Clock;
}

/** Of the hashing engine: those who are somebody go before those who want to be. */
const afterLogins = 1;

export function createAccounts({ database, passwords, clock }: AccountOptions): Accounts {
  return {
    async register({ email, password, name = null }, signal) {
      const canonical = canonicalEmail(email);
      if (canonical === undefined) throw new TypeError('the address was not checked');
      // Hashed also where the address turns out to be taken: only the insert decides that.
      const hash = await passwords.hash(password, signal, afterLogins);
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

    async remove(userId, password, signal) {
      const hash = await findPasswordHash(database.db, userId);
      const verdict = await passwords.verify(password, hash, signal);
      // The password may have been changed while this one was being checked: then it is not the current one any more.
      const removed =
        hash !== undefined &&
        verdict !== 'wrong' &&
        (await database.statement(tx => deleteUser(tx, userId, hash)));
      if (!removed) throw invalidCredentials('The password is wrong.');
    },
  };
}
