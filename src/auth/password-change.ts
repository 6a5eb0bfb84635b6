import type { Clock } from '../clock.ts';
import type { Database } from '../database.ts';
import { invalidCredentials, Problem, unauthenticated } from '../errors.ts';
import { changePasswordHash, findPasswordHash, lockPasswordHash, type User } from '../users/models.ts';
import { type PasswordPolicy, passwordFaults } from '../users/password-policy.ts';
import type { PasswordHasher } from '../users/security.ts';
import { deleteOtherSessions, hasSession } from './session-models.ts';

/**
 * Throws `validation_failed` when the new password is made of what is known of the person, `invalid_credentials` when
 * the current one is wrong, `invalid_token` when the session has ended meanwhile. Every session of the person but the
 * one that asks ends with it.
 */
export type ChangePassword = (change: PasswordChange, signal?: AbortSignal) => Promise<void>;

export interface PasswordChange {
  readonly user: Pick<User, 'id' | 'email'>;
  /** The session that asks. */
  readonly sessionId: string;
  readonly current: string;
  readonly next: string;
}

interface PasswordChangeOptions {
  readonly database: Database;
  readonly passwords: PasswordHasher;
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
  return async ({ user, sessionId, current, next }, signal) => {
    const errors = passwordFaults(policy, next, user.email, '/new_password');
    if (errors.length > 0) throw new Problem('validation_failed', 'The body has faults.', { errors });
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const checked = await findPasswordHash(database.db, user.id);
      if ((await passwords.verify(current, checked, signal)) === 'wrong') break;
      const hash = await passwords.hash(next, signal);
      const changed = await database.transaction(async tx => {
        if ((await lockPasswordHash(tx, user.id)) !== checked) return false;
        const now = clock();
        if (!(await hasSession(tx, user.id, sessionId, now))) throw unauthenticated('invalid_token');
        await changePasswordHash(tx, user.id, hash, now);
        await deleteOtherSessions(tx, user.id, sessionId);
        return true;
      });
      if (changed) return;
    }
    throw invalidCredentials('The current password is wrong.');
  };
}
