import type { Clock } from '../clock.ts';
import type { Database, Transaction } from '../database.ts';
import { type Entries, findEntries, lockEntries, saveEntries } from './models.ts';
import {
  counted,
  current,
  endOf,
  isAhead,
  nothing,
  type Policy,
  type Tally,
  waitOf,
  without,
} from './tally.ts';

/** One more is asked for: of which policy, and by whom. */
export interface Claim {
  readonly policy: Policy;
  /** A pseudonym; see `Vault`. */
  readonly key: string;
}

export interface Limiter {
  /**
   * Counts one for each claim, at most three of them, or for none. Whatever happens at the same time, on this node or
   * on another, no more are counted than the limits allow. A policy without a limit is always kept. `beforeCounting` is
   * called when it has not been refused yet. `seen`: the entries, where they were just read.
   */
  take(claims: readonly Claim[], beforeCounting?: () => void, seen?: Entries): Promise<Taken | Refusal>;
}

export interface Taken {
  readonly refused: false;
  /** Uncounts what was counted. */
  giveBack(tx: Transaction): Promise<void>;
}

/** Of the claims that were too many, the one with the longest wait. */
export interface Refusal {
  readonly refused: true;
  readonly policy: Policy;
  readonly key: string;
  /** Milliseconds, more than 0. */
  readonly wait: number;
}

interface LimiterOptions {
  readonly database: Database;
  readonly clock: Clock;
}

export function createLimiter({ database, clock }: LimiterOptions): Limiter {
  return {
    async take(all, beforeCounting = () => undefined, read) {
      const claims = all.filter(({ policy }) => policy.limit > 0);
      if (claims.length === 0) return { refused: false, giveBack: async () => undefined };
      // A flood of what is refused anyway is to write nothing.
      const seen = read ?? (await findEntries(database.db, keysOf(claims)));
      const now = clock().getTime();
      const isFuture = claims.some(({ key }) => isAhead(seen.get(key) ?? nothing, now));
      const refusal = isFuture ? undefined : refusalOf(claims, seen, now);
      if (refusal) return refusal;
      beforeCounting();
      return await database.transaction(tx => count(tx, claims));
    },
  };

  async function count(tx: Transaction, claims: readonly Claim[]): Promise<Taken | Refusal> {
    const at = clock().getTime();
    const entries = await lockEntries(tx, keysOf(claims), new Date(at));
    const refusal = refusalOf(claims, entries, at);
    await change(tx, claims, entries, (tally, policy) =>
      refusal ? current(tally, at) : counted(current(tally, at), policy, at),
    );
    return refusal ?? { refused: false, giveBack: later => uncount(later, claims, at) };
  }

  async function uncount(tx: Transaction, claims: readonly Claim[], at: number): Promise<void> {
    const now = clock().getTime();
    const entries = await lockEntries(tx, keysOf(claims), new Date(now));
    await change(tx, claims, entries, (tally, policy) => without(current(tally, now), at, policy, now));
  }
}

function refusalOf(claims: readonly Claim[], entries: Entries, now: number): Refusal | undefined {
  const refusals = claims.map(({ policy, key }) => {
    const wait = waitOf(current(entries.get(key) ?? nothing, now), policy, now);
    return { refused: true, policy, key, wait } as const;
  });
  return refusals.filter(({ wait }) => wait > 0).sort((a, b) => b.wait - a.wait)[0];
}

async function change(
  tx: Transaction,
  claims: readonly Claim[],
  entries: Entries,
  next: (tally: Tally, policy: Policy) => Tally,
): Promise<void> {
  const changed = claims.flatMap(({ policy, key }) => {
    const entry = entries.get(key);
    if (!entry) return [];
    const tally = next(entry, policy);
    // A known source stays one for longer than what it failed at counts.
    const known = entry.account === null ? 0 : entry.expires_at.getTime();
    return [{ ...entry, ...tally, expires_at: new Date(Math.max(known, endOf(tally))) }];
  });
  await saveEntries(tx, changed);
}

function keysOf(claims: readonly Claim[]): string[] {
  return claims.map(({ key }) => key);
}
