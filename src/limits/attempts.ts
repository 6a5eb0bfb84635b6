import { addSeconds, type Clock } from '../clock.ts';
import type { Database, Transaction } from '../database.ts';
import type { Claim, Limiter, Refusal, Taken } from './limiter.ts';
import {
  deleteSources,
  deleteSurplusSources,
  type Entries,
  type Entry,
  findEntries,
  saveEntries,
} from './models.ts';
import { nothing } from './tally.ts';
import { createTurns } from './turns.ts';

/** Who tries a password. */
export interface Trier {
  /** A pseudonym of the account, whether or not there is one. */
  readonly account: string;
  /** What counts as one source; see `http/source.ts`. */
  readonly network: string;
  /** Of the account, where one asks. */
  readonly sessionId?: string;
}

export interface Attempts {
  /**
   * Counts an attempt as a failure, before anything is checked. Throws `overloaded` where others at the same moment take
   * too long to be decided, and the reason of the signal where it has to wait for them.
   */
  begin(trier: Trier, signal?: AbortSignal): Promise<Begun | Refusal>;
}

export interface Begun {
  readonly refused: false;
  /** The password was right: what was counted is given back, and the source is a known one of the account for a month. */
  accept(tx: Transaction): Promise<void>;
  /** No source of the account is a known one any more. */
  forgetSources(tx: Transaction): Promise<void>;
  /** Nothing was checked: what was counted is given back. */
  cancel(tx: Transaction): Promise<void>;
  /** Has to be called at the end, when all of it is committed. `isFree`: what was counted has been given back. */
  end(isFree: boolean): void;
}

type InTurn = Taken & Pick<Begun, 'end'>;

interface Decision {
  readonly taken: InTurn | Refusal;
  /** Whether the source was a known one of the account. */
  readonly isKnown: boolean;
}

interface AttemptOptions {
  readonly database: Database;
  readonly limiter: Limiter;
  readonly clock: Clock;
  readonly monotonic: () => number;
  /** Milliseconds for which an attempt waits for others at the same moment. */
  readonly maxWait: number;
  readonly pseudonym: (purpose: string, ...parts: readonly string[]) => string;
  /** Failures within the window; 0 is no limit. */
  readonly perAccount: number;
  readonly perSource: number;
}

/** Seconds for which a source is a known one after it was last used. */
const memory = 30 * 24 * 3600;
/** Known sources of one account. */
const maxSources = 20;
/** Whoever is woken may find that another was quicker; so many times in a row, nobody does. */
const maxTries = 100;

export function createAttempts(options: AttemptOptions): Attempts {
  const { database, limiter, clock, monotonic, pseudonym, perAccount, perSource } = options;
  const turns = createTurns(options);
  const byAccount = { name: 'login-account', limit: perAccount, doubles: true };
  const bySource = { name: 'login-source', limit: perSource, doubles: true };

  return {
    async begin(trier, signal) {
      const known = pseudonym('known source', trier.account, trier.network);
      const { taken, isKnown } = await takeInTurn(trier, known, signal);
      if (taken.refused) return taken;
      return {
        refused: false,
        end: taken.end,
        cancel: taken.giveBack,
        forgetSources: tx => deleteSources(tx, trier.account),
        async accept(tx) {
          // A known source's own failures are forgotten with what follows.
          if (!isKnown || trier.sessionId !== undefined) await taken.giveBack(tx);
          if (perAccount === 0 && perSource === 0) return;
          const expires_at = addSeconds(clock(), memory);
          await saveEntries(tx, [{ key: known, account: trier.account, ...nothing, expires_at }]);
          if (!isKnown) await deleteSurplusSources(tx, trier.account, maxSources);
        },
      };
    },
  };

  async function takeInTurn(trier: Trier, known: string, signal?: AbortSignal): Promise<Decision> {
    const since = monotonic();
    const usual = claimsOf(trier);
    const keys = [known, ...usual.map(({ key }) => key)];
    for (let tries = 1; ; tries++) {
      using watch = turns.watch(keys);
      const seen = await findEntries(database.db, keys);
      const isKnown = isKnownSource(seen.get(known));
      // A known source has an allowance of its own, which no stranger can use up; so has a session.
      const hasOwn = isKnown && trier.sessionId === undefined;
      const taken = await take(hasOwn ? [{ policy: byAccount, key: known }] : usual, seen);
      if (!taken.refused || tries === maxTries) return { taken, isKnown };
      if (watch.isLate) continue;
      const turn = turns.next(taken.key, since, signal);
      if (!turn) return { taken, isKnown };
      await turn;
    }
  }

  async function take(claims: readonly Claim[], seen: Entries): Promise<InTurn | Refusal> {
    let end: Begun['end'] = () => undefined;
    try {
      const begin = () => {
        end = turns.begin(claims.map(({ key }) => key));
      };
      const taken = await limiter.take(claims, begin, seen);
      if (!taken.refused) return { ...taken, end };
      end(false);
      return taken;
    } catch (error) {
      end(false);
      throw error;
    }
  }

  function isKnownSource(entry: Entry | undefined): boolean {
    return entry !== undefined && entry.account !== null && entry.expires_at > clock();
  }

  function claimsOf({ account, network, sessionId }: Trier): readonly Claim[] {
    if (sessionId !== undefined)
      return [{ policy: byAccount, key: pseudonym('session', account, sessionId) }];
    return [
      { policy: byAccount, key: pseudonym('account', account) },
      { policy: bySource, key: pseudonym('source', network) },
    ];
  }
}
