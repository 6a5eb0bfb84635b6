import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Queries, Transaction } from '../database.ts';
import type { SessionsTable } from './models.ts';

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
  tx: Transaction,
  familyHash: string,
): Promise<Selectable<SessionsTable> | undefined> {
  return await tx
    .selectFrom('sessions')
    .where('refresh_family_hash', '=', familyHash)
    .selectAll()
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

export async function updateSession(
  tx: Transaction,
  id: string,
  change: Updateable<SessionsTable>,
): Promise<void> {
  await tx.updateTable('sessions').set(change).where('id', '=', id).execute();
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

export async function deleteOtherSessions(tx: Transaction, userId: string, id: string): Promise<void> {
  await tx.deleteFrom('sessions').where('user_id', '=', userId).where('id', '!=', id).execute();
}

/** Leaves a person the newest `count` of those that are live. */
export async function deleteSurplusSessions(
  tx: Transaction,
  userId: string,
  count: number,
  now: Date,
): Promise<void> {
  const live = await tx
    .selectFrom('sessions')
    .where('user_id', '=', userId)
    .where('refresh_expires_at', '>', now)
    .select('id')
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
  // One by one: a list of its own length each time would be a statement of its own each time.
  for (const { id } of live.slice(count)) await tx.deleteFrom('sessions').where('id', '=', id).execute();
}

/** At most `limit` of those that are over; how many they were. */
export async function deleteExpiredSessions(tx: Transaction, now: Date, limit: number): Promise<number> {
  const expired = tx.selectFrom('sessions').where('refresh_expires_at', '<=', now).select('id').limit(limit);
  const { numDeletedRows } = await tx.deleteFrom('sessions').where('id', 'in', expired).executeTakeFirst();
  return Number(numDeletedRows);
}

/** Sets when sessions were last used, where that was `before` or earlier. */
export async function touchSessions(
  tx: Transaction,
  ids: readonly string[],
  now: Date,
  before: Date,
): Promise<void> {
  for (const id of ids) {
    await tx
      .updateTable('sessions')
      .set({ last_used_at: now })
      .where('id', '=', id)
      .where('last_used_at', '<=', before)
      .execute();
  }
}
