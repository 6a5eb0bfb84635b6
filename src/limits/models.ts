import { prepared, type Queries, type Transaction } from '../database.ts';
import type { Tally } from './tally.ts';

/** A row of `limits`: what was counted for one key. No address of a person or a machine can be read from it. */
export interface LimitsTable {
  /** A pseudonym of what is counted. */
  key: string;
  /** A pseudonym of the account that the key is a known source of; null for every other key. */
  account: string | null;
  /** JSON: the times of a tally. */
  times: string;
  strikes: number;
  /** Nothing of it counts from then on. */
  expires_at: Date;
}

/** A tally and whose it is. */
export interface Entry extends Tally {
  readonly key: string;
  readonly account: string | null;
  readonly expires_at: Date;
}

/** By their keys. */
export type Entries = ReadonlyMap<string, Entry>;

const columns = ['key', 'account', 'times', 'strikes', 'expires_at'] as const;

const three = prepared({ a: 'text', b: 'text', c: 'text' }, (db: Queries, { a, b, c }) =>
  db.selectFrom('limits').where('key', 'in', [a, b, c]).select(columns),
);

/** Those of at most three keys that are there. */
export async function findEntries(db: Queries, [a = '', b = a, c = a]: readonly string[]): Promise<Entries> {
  return byKey(await three(db, { a, b, c }));
}

/**
 * The same, and locked until the end of the transaction; those that are not there are made. All who want several get
 * them in one order, so that nobody waits for somebody who waits for them.
 */
export async function lockEntries(tx: Transaction, keys: readonly string[], now: Date): Promise<Entries> {
  const rows = await tx
    .insertInto('limits')
    .values(keys.toSorted().map(key => ({ key, account: null, times: '[]', strikes: 0, expires_at: now })))
    .onConflict(conflict => conflict.column('key').doUpdateSet({ strikes: eb => eb.ref('limits.strikes') }))
    .returning(columns)
    .execute();
  return byKey(rows);
}

export async function saveEntries(tx: Transaction, entries: readonly Entry[]): Promise<void> {
  const rows = entries.map(({ times, ...entry }) => ({ ...entry, times: JSON.stringify(times) }));
  await tx
    .insertInto('limits')
    .values(rows.sort((a, b) => (a.key < b.key ? -1 : 1)))
    .onConflict(conflict =>
      conflict.column('key').doUpdateSet({
        account: eb => eb.ref('excluded.account'),
        times: eb => eb.ref('excluded.times'),
        strikes: eb => eb.ref('excluded.strikes'),
        expires_at: eb => eb.ref('excluded.expires_at'),
      }),
    )
    .execute();
}

/** Leaves an account so many of its known sources, the last used ones. */
export async function deleteSurplusSources(tx: Transaction, account: string, count: number): Promise<void> {
  const known = await tx
    .selectFrom('limits')
    .where('account', '=', account)
    .select('key')
    .orderBy('expires_at', 'desc')
    .orderBy('key')
    .execute();
  for (const { key } of known.slice(count)) await tx.deleteFrom('limits').where('key', '=', key).execute();
}

export async function deleteSources(tx: Transaction, account: string): Promise<void> {
  await tx.deleteFrom('limits').where('account', '=', account).execute();
}

/** At most `limit` of those of which nothing counts any more; how many they were. */
export async function deleteExpiredEntries(tx: Transaction, now: Date, limit: number): Promise<number> {
  const expired = tx
    .selectFrom('limits')
    .where('expires_at', '<=', now)
    .select('key')
    .limit(limit)
    // One that another node counts on meanwhile stays.
    .forUpdate()
    .skipLocked();
  const { numDeletedRows } = await tx.deleteFrom('limits').where('key', 'in', expired).executeTakeFirst();
  return Number(numDeletedRows);
}

function byKey(rows: readonly LimitsTable[]): Entries {
  return new Map(
    rows.map(({ times, ...row }) => [row.key, { ...row, times: JSON.parse(times) as number[] }]),
  );
}
