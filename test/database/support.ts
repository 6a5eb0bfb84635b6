import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import type { DatabaseOptions } from '../../src/database/engine.ts';
import { type Database, openDatabase } from '../../src/database.ts';

/** A folder that goes with the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'plinth-database-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A database that is closed with the test; in a file of its own unless told otherwise. */
export async function open(
  t: TestContext,
  options: DatabaseOptions = {},
  path = join(folder(t), 'plinth.db'),
) {
  const database = await openDatabase(`sqlite:${path}`, options);
  t.after(() => database.close());
  return { database, path };
}

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

/** The names and the bytes of the files in a folder. Only where nobody has a database open in it. */
export function fingerprint(path: string): Record<string, string> {
  const files = readdirSync(path, { withFileTypes: true }).filter(entry => entry.isFile());
  return Object.fromEntries(
    files.map(({ name }) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(path, name)))
        .digest('hex'),
    ]),
  );
}

/** For what the interface does not offer: a plain connection, closed at once. */
export function directly<T>(path: string, work: (raw: DatabaseSync) => T): T {
  using raw = new DatabaseSync(path);
  return work(raw);
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
