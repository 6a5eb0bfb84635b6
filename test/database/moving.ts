import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { move, openSource, openTarget } from '../../src/commands/move.ts';
import type { Terminal } from '../../src/commands/progress.ts';
import { type MovedTable, moveRows } from '../../src/database/move.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { claimDatabase } from '../../src/instance.ts';
import { createVault } from '../../src/vault.ts';
import { testConfig, testSecret } from '../helpers/app.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { noon, user } from './support.ts';

/** A database as an installation leaves it: so many people, each with a session, two keys, and whose it is. */
export async function fill(url: string, people: number): Promise<void> {
  const database = await openDatabase(url);
  try {
    await claimDatabase(database, createVault(testSecret));
    for (let from = 0; from < people; from += 1000)
      await addPeople(database, from, Math.min(people, from + 1000));
    await database.transaction(tx =>
      tx
        .insertInto('signing_keys')
        .values([key('{"a":1,"b":[true,null]}'), key('{ "b": "é\\u00e9", "a": { } }')])
        .execute(),
    );
  } finally {
    await database.close();
  }
}

async function addPeople(database: Database, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, n) => from + n);
  const users = numbers.map(n => ({ ...user(`person${n}`), name: names[n % names.length] ?? null }));
  await database.transaction(async tx => {
    await tx.insertInto('users').values(users).execute();
    await tx
      .insertInto('sessions')
      .values(users.map(({ id }, n) => session(id, from + n)))
      .execute();
  });
}

const names = [null, '', 'Ada Lovelace', '用户 😀', "Robert'); drop table users; --", '\\N', 'null', 'İ'];

function session(user_id: string, n: number) {
  const at = (milliseconds: number): Date => new Date(noon.getTime() + milliseconds);
  const used = n % 2 === 0;
  return {
    id: randomUUID(),
    user_id,
    created_at: noon,
    last_used_at: at(n),
    expires_at: at(n * 86_400_000),
    refresh_expires_at: at(n * 3_600_001),
    refresh_family_hash: createHash('sha256').update(`family ${n}`).digest('base64url'),
    refresh_hash: createHash('sha256').update(`token ${n}`).digest('base64url'),
    previous_refresh_hash: used ? 'x'.repeat(43) : null,
    refresh_nonce: used ? 'n'.repeat(22) : null,
    refreshed_at: used ? new Date(-n) : null,
    user_agent: used ? 'Mozilla/5.0' : null,
    ip: used ? '2001:db8::1' : null,
  };
}

function key(public_jwk: string) {
  return {
    id: createHash('sha256').update(public_jwk).digest('base64url'),
    algorithm: 'ES256',
    public_jwk,
    private_encrypted: 'v1.x.y',
    created_at: noon,
    signs_from_at: null,
    retired_at: null,
    verifies_until_at: null,
  };
}

/** Every row of every table, in an order of its own, JSON by its meaning. */
export async function contentsOf(url: string): Promise<Record<string, unknown[]>> {
  const database = await openDatabase(url);
  try {
    const { db } = database;
    const keys = await db.selectFrom('signing_keys').selectAll().orderBy('created_at').execute();
    const read = {
      users: await inPages(after =>
        db.selectFrom('users').selectAll().where('id', '>', after).orderBy('id').limit(5000).execute(),
      ),
      sessions: await inPages(after =>
        db.selectFrom('sessions').selectAll().where('id', '>', after).orderBy('id').limit(5000).execute(),
      ),
      signing_keys: keys.map(row => ({ ...row, public_jwk: JSON.parse(row.public_jwk) })),
      instance: await db.selectFrom('instance').selectAll().execute(),
    };
    const key = (row: object): string => String(Object.values(row)[0]);
    return Object.fromEntries(
      Object.entries(read).map(([name, rows]) => [
        name,
        (rows as object[]).toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
      ]),
    );
  } finally {
    await database.close();
  }
}

/** An engine gives no single read the time for very many rows. */
async function inPages<Row extends { id: string }>(read: (after: string) => Promise<Row[]>): Promise<Row[]> {
  const rows: Row[] = [];
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const page = await read(after);
    rows.push(...page);
    const last = page.at(-1);
    if (!last) return rows;
    after = last.id;
  }
}

/** The operator's command in this process; the lines that it answers. */
export async function moving(...words: readonly string[]): Promise<string[]> {
  return await movingWith({}, words);
}

export async function movingWith(
  settings: Readonly<Record<string, string>>,
  words: readonly string[],
  terminal: Terminal = { write: assert.fail },
): Promise<string[]> {
  const lines: string[] = [];
  await move.run(words, {
    config: () => testConfig({ SECRET: testSecret.toString('base64url'), ...settings }),
    clock: () => new Date(),
    write: line => void lines.push(line),
    terminal,
  });
  return lines;
}

/** The same without its words. */
export async function moveAll(
  from: string,
  to: string,
  options: Parameters<typeof openSource>[1],
  how: Parameters<typeof moveRows>[2] = {},
): Promise<MovedTable[]> {
  await using source = await openSource(from, options);
  await using target = await openTarget(to, options);
  return await moveRows(source, target, how);
}

/** A place for a SQLite database, in a folder of its own. */
export function newFile(t: TestContext): string {
  return `sqlite:${join(temporaryFolder(t), 'plinth.db')}`;
}

export function pathOf(url: string): string {
  return url.slice('sqlite:'.length);
}
