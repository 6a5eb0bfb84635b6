import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Queries, Transaction } from '../database.ts';
import type { SessionsTable } from './models.ts';
import type { RefreshToken } from './refresh-tokens.ts';

/** What a person may see of a session of theirs. */
export type SessionView = Pick<Selectable<SessionsTable>, (typeof viewColumns)[number]>;

const viewColumns = ['id', 'created_at', 'last_used_at', 'expires_at', 'user_agent', 'ip'] as const;

/** Live ones, the last used first. */
export async function findSessions(db: Queries, userId: string, now: Date): Promise<SessionView[]> {
  return await db
    .selectFrom('sessions')
    .where('user_id', '=', userId)
    .where('refresh_expires_at', '>', now)
    .select(viewColumns)
    .orderBy('last_used_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
}

export async function insertSession(tx: Transaction, session: Insertable<SessionsTable>): Promise<void> {
  await tx.insertInto('sessions').values(session).execute();
}

/** By what its refresh tokens have in common; also when it is over. */
export async function findFamily(
  db: Queries,
  familyHash: string,
): Promise<Selectable<SessionsTable> | undefined> {
  return await db
    .selectFrom('sessions')
    .where('refresh_family_hash', '=', familyHash)
    .selectAll()
    .executeTakeFirst();
}

/** What a refresh changes. */
export type Advance = Required<
  Pick<
    Updateable<SessionsTable>,
    'refresh_hash' | 'previous_refresh_hash' | 'refresh_nonce' | 'refreshed_at' | 'last_used_at'
  >
>;

/**
 * Gives a session its next refresh token, and until `idleEnd` to live, but never past its absolute end. Undefined, and
 * nothing is done, when `current` is not its current token or it is over: of many at once one succeeds.
 */
export async function advanceSession(
  tx: Transaction,
  current: Pick<RefreshToken, 'familyHash' | 'hash'>,
  advance: Advance,
  now: Date,
  idleEnd: Date,
): Promise<Selectable<SessionsTable> | undefined> {
  return await tx
    .updateTable('sessions')
    .set(advance)
    .set(({ ref, ...of }) => ({
      refresh_expires_at: of
        .case()
        .when('expires_at', '<', idleEnd)
        .then(ref('expires_at'))
        .else(idleEnd)
        .end(),
    }))
    .where('refresh_family_hash', '=', current.familyHash)
    .where('refresh_hash', '=', current.hash)
    .where('refresh_expires_at', '>', now)
    .returningAll()
    .executeTakeFirst();
}

/** Whether a person has it and it is live. */
export async function hasSession(tx: Transaction, userId: string, id: string, now: Date): Promise<boolean> {
  const row = await tx
    .selectFrom('sessions')
    .where('user_id', '=', userId)
    .where('id', '=', id)
    .where('refresh_expires_at', '>', now)
    .select('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Whether there was one, and it was theirs. */
export async function deleteSession(tx: Transaction, userId: string, id: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('sessions')
    .where('user_id', '=', userId)
    .where('id', '=', id)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Whether there was one that was live, and it was theirs. */
export async function deleteLiveSession(
  tx: Transaction,
  userId: string,
  id: string,
  now: Date,
): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('sessions')
    .where('user_id', '=', userId)
    .where('id', '=', id)
    .where('refresh_expires_at', '>', now)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}

/** How many they were. */
export async function deleteOtherSessions(tx: Transaction, userId: string, id: string): Promise<number> {
  const { numDeletedRows } = await tx
    .deleteFrom('sessions')
    .where('user_id', '=', userId)
    .where('id', '!=', id)
    .executeTakeFirst();
  return Number(numDeletedRows);
}

/** Leaves a person the newest `count` of those that are live. The person has to be locked. */
export async function deleteSurplusSessions(
  tx: Transaction,
  userId: string,
  count: number,
  now: Date,
): Promise<void> {
  const surplus = tx
    .selectFrom('sessions')
    .where('user_id', '=', userId)
    .where('refresh_expires_at', '>', now)
    .select('id')
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    // SQLite knows no offset without a limit; there are never more.
    .limit(1000)
    .offset(count);
  await tx.deleteFrom('sessions').where('id', 'in', surplus).execute();
}

/** At most `limit` of those that are over; how many they were. Leaves to another node what that is at. */
export async function deleteExpiredSessions(tx: Transaction, now: Date, limit: number): Promise<number> {
  const expired = tx
    .selectFrom('sessions')
    .where('refresh_expires_at', '<=', now)
    .select('id')
    .limit(limit)
    .forUpdate()
    .skipLocked();
  const { numDeletedRows } = await tx.deleteFrom('sessions').where('id', 'in', expired).executeTakeFirst();
  return Number(numDeletedRows);
}

/** Sets when sessions were last used, where that was `before` or earlier. Waits for none that somebody is changing. */
export async function touchSessions(
  tx: Transaction,
  ids: readonly string[],
  now: Date,
  before: Date,
): Promise<void> {
  const stale = tx
    .selectFrom('sessions')
    .where('id', 'in', padded(ids))
    .where('last_used_at', '<=', before)
    .select('id')
    .forNoKeyUpdate()
    .skipLocked();
  await tx.updateTable('sessions').set({ last_used_at: now }).where('id', 'in', stale).execute();
}

/** To a power of two, by repetition: a list of its own length each time would be a statement of its own each time. */
function padded(ids: readonly string[]): string[] {
  const length = 2 ** Math.ceil(Math.log2(ids.length));
  return Array.from({ length }, (_, at) => ids[at] ?? ids[0] ?? '');
}
