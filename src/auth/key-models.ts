import type { Selectable, Updateable } from 'kysely';
import type { Queries, Transaction } from '../database.ts';
import type { SigningKeysTable } from './models.ts';

export type SigningKey = Selectable<SigningKeysTable>;

/** The one algorithm. A key is bound to it when it is made and again when it is loaded; no token has a say. */
export const algorithm = 'ES256';

/** All that are or will be good for something at `now`, the newest first. */
export async function findKeys(db: Queries, now: Date): Promise<SigningKey[]> {
  return await db
    .selectFrom('signing_keys')
    .selectAll()
    .where('algorithm', '=', algorithm)
    .where(where => where.or([where('verifies_until_at', 'is', null), where('verifies_until_at', '>', now)]))
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute();
}

/** Those that are over, too. */
export async function findAllKeys(db: Queries): Promise<SigningKey[]> {
  return await db.selectFrom('signing_keys').selectAll().orderBy('id').execute();
}

export async function insertKey(tx: Transaction, key: SigningKey): Promise<void> {
  await tx.insertInto('signing_keys').values(key).execute();
}

export async function updateKey(
  tx: Transaction,
  kid: string,
  change: Updateable<SigningKeysTable>,
): Promise<void> {
  await tx.updateTable('signing_keys').set(change).where('id', '=', kid).execute();
}

/** Whether a key may sign at a time. */
export function signsAt({ signs_from_at, retired_at }: SigningKey, now: Date): boolean {
  return (signs_from_at === null || signs_from_at <= now) && (retired_at === null || retired_at > now);
}

/** Whether what a key signed counts at a time. */
export function verifiesAt({ verifies_until_at }: SigningKey, now: Date): boolean {
  return verifies_until_at === null || verifies_until_at > now;
}

/**
 * The one of several that signs: the last to have begun. Where the clock was set back behind all of them, the first that
 * will begin: a wrong clock keeps nobody out. `keys` in the order of `findKeys`.
 */
export function signerAt(keys: readonly SigningKey[], now: Date): SigningKey | undefined {
  const begun = (key: SigningKey): number => (key.signs_from_at ?? key.created_at).getTime();
  const inOrder = keys.toSorted((a, b) => begun(a) - begun(b));
  return (
    inOrder.findLast(key => signsAt(key, now)) ?? inOrder.find(key => signsAt(key, new Date(begun(key))))
  );
}

/** The first moment from `now` on at which no key signs; undefined when there will be none. */
export function firstGap(keys: readonly SigningKey[], now: Date): Date | undefined {
  const signing = keys.filter(key => signsAt(key, now));
  if (signing.length === 0) return now;
  const end = Math.max(...signing.map(key => key.retired_at?.getTime() ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(end) ? firstGap(keys, new Date(end)) : undefined;
}
