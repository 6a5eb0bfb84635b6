import type { Clock } from '../clock.ts';
import type { Database } from '../database.ts';
import { invalidCredentials, Problem, unauthenticated } from '../errors.ts';
import { changePasswordHash, findPasswordHash, lockPasswordHash, type User } from '../users/models.ts';
import { type PasswordPolicy, passwordFaults } from '../users/password-policy.ts';
import type { Caller, Passwords } from '../users/passwords.ts';
import { deleteOtherSessions, hasSession } from './session-models.ts';

/**
 * Throws `too_many_requests`, or `validation_failed` when the new password is made of what is known of the person, `invalid_credentials` when
 * the current one is wrong, `invalid_token` when the session has ended meanwhile. Every session of the person but the
 * one that asks ends with it.
 */
export type ChangePassword = (change: PasswordChange, signal?: AbortSignal) => Promise<void>;

export interface PasswordChange {
  readonly user: Pick<User, 'id' | 'email'>;
  /** The session that asks. */
  readonly sessionId: string;
  readonly caller: Caller;
  readonly current: string;
  readonly next: string;
}

interface PasswordChangeOptions {
  readonly database: Database;
  readonly passwords: Passwords;
  readonly policy: PasswordPolicy;
  readonly clock: Clock;
}

/** A login at the same moment may renew an outdated hash between the check and the change. */
const maxAttempts = 3;

export function createPasswordChange({
  database,
  passwords,
  policy,
  clock,
}: PasswordChangeOptions): ChangePassword {
  return async ({ user, sessionId, caller, current, next }, signal) => {
    const errors = passwordFaults(policy, next, user.email, '/new_password');
    if (errors.length > 0) throw new Problem('validation_failed', 'The body has faults.', { errors });
    const hashNew = await passwords.admitNew({ caller, sessionId });
    const by = { email: user.email, caller, sessionId, signal };
    const changed = await passwords.attempt(by, async attempt => {
      for (let count = 0; count < maxAttempts; count++) {
        const checked = await findPasswordHash(database.db, user.id);
        if ((await attempt.verify(current, checked, signal)) === 'wrong') return undefined;
        const hash = await hashNew(next, signal);
        const done = await database.transaction(async tx => {
          if ((await lockPasswordHash(tx, user.id)) !== checked) return undefined;
          const now = clock();
          if (!(await hasSession(tx, user.id, sessionId, now))) throw unauthenticated('invalid_token');
          await changePasswordHash(tx, user.id, hash, now);
          await deleteOtherSessions(tx, user.id, sessionId);
          await attempt.forgetSources(tx);
          await attempt.accept(tx);
          return true;
        });
        if (done) return done;
      }
      return undefined;
    });
    if (!changed) throw invalidCredentials('The current password is wrong.');
  };
}
