import type { Selectable } from 'kysely';
import { isUniqueViolation, prepared, type Queries, type Transaction } from '../database.ts';
import { Problem } from '../errors.ts';

/** A row of `users`. */
export interface UsersTable {
  /** UUIDv7, never used again. */
  id: string;
  /** As it was given. */
  email: string;
  /** Unique: see `canonicalEmail`. */
  email_canonical: string;
  name: string | null;
  /** `$2b$…` or `$bcrypt-sha256$…`; see `security.ts`. */
  password_hash: string;
  created_at: Date;
  updated_at: Date;
}

/** A person as they may see themselves. The hash is not part of it: whoever needs it asks by name. */
export type User = Pick<Selectable<UsersTable>, (typeof userColumns)[number]>;

export const userColumns = ['id', 'email', 'name', 'created_at', 'updated_at'] as const;

/** Throws `email_taken`; which address is taken is decided by the database alone. */
export async function insertUser(tx: Transaction, user: UsersTable): Promise<User> {
  try {
    return await tx.insertInto('users').values(user).returning(userColumns).executeTakeFirstOrThrow();
  } catch (error) {
    if (!isUniqueViolation(error, 'users.email_canonical')) throw error;
    throw new Problem('email_taken', 'There is an account with this email address.', { cause: error });
  }
}

const credentials = prepared({ email: 'text' }, (db: Queries, { email }) =>
  db.selectFrom('users').where('email_canonical', '=', email).select(['id', 'password_hash']),
);

/** What a login needs, by canonical address; undefined when there is nobody. */
export async function findCredentials(
  db: Queries,
  email: string,
): Promise<Pick<UsersTable, 'id' | 'password_hash'> | undefined> {
  const [found] = await credentials(db, { email });
  return found;
}

/** The hash that stands now; undefined when the person is gone. */
export async function findPasswordHash(db: Queries, userId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('users')
    .where('id', '=', userId)
    .select('password_hash')
    .executeTakeFirst();
  return row?.password_hash;
}

/**
 * The same, and until the end of the transaction nobody else changes the password, deletes the person or passes this
 * line: what changes the password or the number of sessions of a person begins with it.
 */
export async function lockPasswordHash(tx: Transaction, userId: string): Promise<string | undefined> {
  const row = await tx
    .selectFrom('users')
    .where('id', '=', userId)
    .select('password_hash')
    .forNoKeyUpdate()
    .executeTakeFirst();
  return row?.password_hash;
}

/** A new password. */
export async function changePasswordHash(
  tx: Transaction,
  userId: string,
  hash: string,
  now: Date,
): Promise<void> {
  await tx
    .updateTable('users')
    .set({ password_hash: hash, updated_at: now })
    .where('id', '=', userId)
    .execute();
}

/** Not a change that the person made: `updated_at` stays. */
export async function updatePasswordHash(tx: Transaction, userId: string, hash: string): Promise<void> {
  await tx.updateTable('users').set({ password_hash: hash }).where('id', '=', userId).execute();
}

/** Undefined when the person is gone. */
export async function renameUser(
  tx: Transaction,
  userId: string,
  name: string | null,
  now: Date,
): Promise<User | undefined> {
  return await tx
    .updateTable('users')
    .set({ name, updated_at: now })
    .where('id', '=', userId)
    .returning(userColumns)
    .executeTakeFirst();
}

/** With everything that belongs to them, by the foreign keys. False, and nothing is done, when this is not their hash. */
export async function deleteUser(tx: Transaction, userId: string, passwordHash: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('users')
    .where('id', '=', userId)
    .where('password_hash', '=', passwordHash)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}
