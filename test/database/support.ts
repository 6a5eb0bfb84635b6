import { randomUUID } from 'node:crypto';
import type { Database } from '../../src/database.ts';

export const noon = new Date('2026-03-01T12:00:00.123Z');

export function user(name: string) {
  return {
    id: randomUUID(),
    email: `${name}@example.com`,
    email_canonical: `${name}@example.com`,
    name: null,
    password_hash: 'x'.repeat(60),
    created_at: noon,
    updated_at: noon,
  };
}

export async function insertUser(database: Database, name: string): Promise<void> {
  await database.transaction(tx => tx.insertInto('users').values(user(name)).execute());
}

export async function names(database: Database): Promise<string[]> {
  const rows = await database.db.selectFrom('users').select('email').orderBy('email').execute();
  return rows.map(({ email }) => email.replace(/@.*/, ''));
}

/** 0 to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
