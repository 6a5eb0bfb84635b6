import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DatabaseRefused, openDatabase } from '../../../src/database.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { insertUser, user } from '../support.ts';
import { directly, fingerprint, open } from './support.ts';

const refusals: { name: string; make: (path: string) => void; reason: RegExp }[] = [
  {
    name: 'not SQLite',
    make: path => writeFileSync(path, 'these are my notes\n'.repeat(1000)),
    reason: /is not an SQLite database, or its header is damaged$/,
  },
  { name: 'a short file', make: path => writeFileSync(path, 'x'), reason: /is not an SQLite database/ },
  {
    name: "another application's database",
    make: path => changed(path, 'pragma application_id = 12345'),
    reason: /is not a Plinth database$/,
  },
  {
    name: 'a database of nobody in particular',
    make: path => changed(path, 'pragma application_id = 0'),
    reason: /is not a Plinth database$/,
  },
  { name: 'a damaged header', make: path => flip(path, 0, 16), reason: /its header is damaged$/ },
  { name: 'a page overwritten', make: path => flip(path, 4096, 512), reason: /is damaged: / },
  { name: 'a page of people overwritten', make: path => flip(path, 4096 * 20, 512), reason: /is damaged: / },
  { name: 'the end cut off', make: path => truncateSync(path, 4096 * 3), reason: /is damaged: / },
  {
    name: 'the end cut off within a page',
    make: path => truncateSync(path, 4096 * 3 + 100),
    reason: /is damaged: /,
  },
  {
    name: 'cut down to a header',
    make: path => truncateSync(path, 100),
    reason: /is not an SQLite database, or was cut short$/,
  },
  {
    name: 'emptied beside its log',
    make: path => {
      truncateSync(path, 0);
      writeFileSync(`${path}-wal`, 'log');
    },
    reason: /is damaged: it is empty but its log is not$/,
  },
  {
    name: 'no history',
    make: path => changed(path, 'drop table migrations'),
    reason: /is damaged: it has no history of migrations$/,
  },
  {
    name: 'newer',
    make: path => changed(path, "insert into migrations values ('9999_roles', 1)"),
    reason: /is newer than this program: it has migration 9999_roles, the program ends at \d{4}_\w+$/,
  },
  {
    name: 'a migration of the same number but another name',
    make: path => changed(path, "update migrations set name = '0001_people' where name = '0001_accounts'"),
    reason: /has another history: this program has no migration 0001_people$/,
  },
  {
    name: 'a foreign migration before a newer one',
    make: path => changed(path, "insert into migrations values ('0000_start', 1), ('9999_roles', 1)"),
    reason: /has another history: this program has no migration 0000_start$/,
  },
  {
    name: 'a folder',
    make: path => {
      rmSync(path);
      mkdirSync(path);
    },
    reason: /cannot be opened: /,
  },
];

for (const { name, make, reason } of refusals) {
  test(`refused and left alone: ${name}`, async t => {
    await refusedAndLeftAlone(await closedDatabase(t), make, reason);
  });
}

test('refused and left alone: newer, known only from a log that a crash left behind', async t => {
  const { database, path } = await open(t);
  await insertUser(database, 'ada');
  directly(path, raw => raw.exec("insert into migrations values ('9999_roles', 1)"));
  const crashed = join(temporaryFolder(t), 'plinth.db');
  for (const end of ['', '-wal']) copyFileSync(path + end, crashed + end);
  const before = fingerprint(join(crashed, '..'));
  await assert.rejects(openDatabase(`sqlite:${crashed}`), /is newer than this program/);
  // Reading a log needs an index beside it, which SQLite does not remove; it is rebuilt whenever it is needed.
  const { 'plinth.db-shm': _index, ...after } = fingerprint(join(crashed, '..'));
  assert.deepEqual(after, before);
});

test('refused: a parent that is a file', async t => {
  const path = await closedDatabase(t);
  await assert.rejects(openDatabase(`sqlite:${path}/inside.db`), /cannot be created: .*(ENOTDIR|EEXIST)/);
});

test('control: what is not changed opens', async t => {
  const path = await closedDatabase(t);
  await assert.rejects(
    refusedAndLeftAlone(path, () => {}, /./),
    /Missing expected rejection/,
  );
});

async function refusedAndLeftAlone(
  path: string,
  make: (path: string) => void,
  reason: RegExp,
): Promise<void> {
  make(path);
  const before = fingerprint(join(path, '..'));
  await assert.rejects(openDatabase(`sqlite:${path}`), error => {
    assert.ok(error instanceof DatabaseRefused, String(error));
    assert.match(error.message, reason);
    assert.ok(error.message.startsWith(`the database ${path} `));
    return true;
  });
  assert.deepEqual(fingerprint(join(path, '..')), before);
}

function changed(path: string, sql: string): void {
  directly(path, raw => raw.exec(sql));
}

async function closedDatabase(t: TestContext): Promise<string> {
  const { database, path } = await open(t);
  const people = Array.from({ length: 400 }, (_, n) => user(`ada${n}`));
  await database.transaction(tx => tx.insertInto('users').values(people).execute());
  await database.close();
  return path;
}

/** Inverts bytes. */
function flip(path: string, offset: number, length: number): void {
  const bytes = readFileSync(path);
  for (let i = offset; i < offset + length; i++) bytes.writeUInt8(bytes.readUInt8(i) ^ 0xff, i);
  writeFileSync(path, bytes);
}
