import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DatabaseRefused, openDatabase } from '../../../src/database.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { insertUser } from '../support.ts';
import { closedDatabase, damages } from './damage.ts';
import { directly, fingerprint, open } from './support.ts';

for (const { name, make, reason } of damages) {
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

test('refused: a link, beside which the log would not be', async t => {
  const path = await closedDatabase(t);
  const folder = temporaryFolder(t);
  const links = { 'linked.db': path, 'to-nothing.db': join(folder, 'nothing.db') };
  for (const [name, target] of Object.entries(links)) {
    symlinkSync(target, join(folder, name));
    const url = `sqlite:${join(folder, name)}`;
    await assert.rejects(openDatabase(url), { name: 'DatabaseRefused', message: /is a link: / });
  }
  assert.deepEqual(readdirSync(folder).sort(), Object.keys(links));
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
