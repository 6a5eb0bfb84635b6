import {
  type BcryptEngine,
  EngineClosed,
  EngineFailed,
  Overloaded,
  type Priority,
} from '../bcrypt/engine.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Database } from '../database.ts';
import type { RecordEvent } from '../events.ts';
import { type Begun, createAttempts } from '../limits/attempts.ts';
import { createLimiter, type Refusal } from '../limits/limiter.ts';
import { tooManyRequests } from '../limits/problem.ts';
import { canonicalEmail } from './email.ts';
import { createPasswordHasher, type PasswordHasher } from './security.ts';

/** The one way to check a password or to hash a new one: there is none without a limit. */
export interface Passwords {
  /**
   * Counts an attempt, then lets `work` check the password. It gives what the right one opens, or undefined where it is
   * wrong. Throws `too_many_requests` or `overloaded` before any work. What comes of it is recorded, but for a success.
   */
  attempt<Opened>(
    by: By,
    work: (attempt: Attempt) => Promise<Opened | undefined>,
  ): Promise<Opened | undefined>;

  /** Counts a new password, and gives what hashes it. Throws `too_many_requests` or `overloaded` before any work. */
  admitNew(by: NewBy): Promise<PasswordHasher['hash']>;
}

export interface By {
  /** As it was typed, or as it is known of the session that asks. */
  readonly email: string;
  readonly caller: Caller;
  /** Of that account. */
  readonly sessionId?: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal | undefined;
}

export interface NewBy {
  readonly caller: Caller;
  /** In which it is asked for; undefined for somebody new. */
  readonly sessionId?: string;
  /** The hashing engine's, 0 by default. */
  readonly priority?: Priority;
}

/** Of a request. */
export interface Caller {
  /** What counts as one source, which also has its share of the hashing; see `http/source.ts`. */
  readonly network: string;
  readonly record: RecordEvent;
}

/** One guess: what is verified is the same password each time. */
export interface Attempt extends Pick<Begun, 'accept' | 'forgetSources'> {
  readonly verify: PasswordHasher['verify'];
  /** For a right one with an outdated hash. */
  readonly rehash: PasswordHasher['hash'];
}

/** What is recorded of an attempt here; where it succeeded, what it opened is. */
type Outcome = 'failed' | 'throttled' | 'unfinished';

interface PasswordOptions {
  readonly database: Database;
  readonly engine: BcryptEngine;
  readonly clock: Clock;
  readonly monotonic: () => number;
  readonly pseudonym: (purpose: string, ...parts: readonly string[]) => string;
  /** The cost of new hashes, how long one waits for them, and how many attempts and new passwords there may be within the window; 0 is no limit. */
  readonly settings: Pick<
    Config,
    'bcryptCost' | 'hashMaxWait' | 'loginLimitAccount' | 'loginLimitSource' | 'newPasswordLimit'
  >;
  /** Told when a hash in the database is none that can be checked. */
  readonly onUnusable: () => void;
}

export function createPasswords(options: PasswordOptions): Passwords {
  const { database, engine, clock, monotonic, pseudonym, settings, onUnusable } = options;
  /** The sources take turns. */
  const hasherFor = ({ network }: Caller, priority?: Priority): PasswordHasher =>
    createPasswordHasher({ engine, cost: settings.bcryptCost, onUnusable, flow: network, priority });
  const limiter = createLimiter({ database, clock });
  const attempts = createAttempts({
    database,
    limiter,
    clock,
    monotonic,
    maxWait: settings.hashMaxWait,
    pseudonym,
    perAccount: settings.loginLimitAccount,
    perSource: settings.loginLimitSource,
  });
  const policy = { name: 'new-password', limit: settings.newPasswordLimit, doubles: false };

  return {
    async attempt({ email, caller, sessionId, signal }, work) {
      const account = pseudonym('email', canonicalEmail(email) ?? email.normalize('NFC').toLowerCase());
      const tell = (outcome: Outcome) => {
        const what = sessionId === undefined ? 'login' : 'password_check';
        caller.record(`${what}_${outcome}`, { account: account.slice(0, 16), source: caller.network });
      };
      const hasher = hasherFor(caller);
      hasher.admit();
      const trier = { account, network: caller.network, ...(sessionId !== undefined && { sessionId }) };
      const begun = await attempts.begin(trier, signal);
      if (begun.refused) tell('throttled');
      const { end, cancel, accept, forgetSources } = granted(begun);
      const { verify, hash: rehash } = hasher;
      let isFree = false;
      try {
        const opened = await work({ verify, rehash, accept, forgetSources });
        isFree = opened !== undefined;
        if (!isFree) tell('failed');
        return opened;
      } catch (error) {
        tell('unfinished');
        if (isNoWork(error)) {
          await database.transaction(cancel);
          isFree = true;
        }
        throw error;
      } finally {
        end(isFree);
      }
    },

    async admitNew({ caller, sessionId, priority }) {
      const hasher = hasherFor(caller, priority);
      hasher.admit();
      const key =
        sessionId === undefined
          ? pseudonym('new passwords of a source', caller.network)
          : pseudonym('new passwords of a session', sessionId);
      const taken = await limiter.take([{ policy, key }]);
      if (taken.refused) caller.record('new_password_throttled', { source: caller.network });
      granted(taken);
      return hasher.hash;
    },
  };
}

function granted<Taken extends { readonly refused: false }>(answer: Taken | Refusal): Taken {
  if (answer.refused) throw tooManyRequests(answer);
  return answer;
}

/** The engine refused or failed, so nothing was compared. A caller who went away is none of these: that attempt counts. */
function isNoWork(error: unknown): boolean {
  return [Overloaded, EngineClosed, EngineFailed].some(kind => error instanceof kind);
}
