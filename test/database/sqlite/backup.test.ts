import assert from 'node:assert/strict';
import { chownSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { backUpSqlite } from '../../../src/database/sqlite/backup.ts';
import { restoreSqlite } from '../../../src/database/sqlite/restore.ts';
import { DatabaseRefused } from '../../../src/database.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { peopleIn, twoStates } from './backups.ts';
import { closedDatabase, damages, deepDamages } from './damage.ts';
import { fingerprint } from './support.ts';

const accept = () => undefined;

/** Damages after which it cannot be said that it ever was ours. */
const foreign = ["another application's database", 'a database of nobody in particular', 'a folder'];
test('a backup and a restore leave no other file, and the source as it was', async t => {
  const { path, backup } = await twoStates(t);
  const source = fingerprint(join(path, '..'));
  await backUpSqlite(path, join(temporaryFolder(t), 'again.db'));
  assert.deepEqual(fingerprint(join(path, '..')), source);
  assert.deepEqual(readdirSync(join(backup, '..')), ['backup.db']);
  await restoreSqlite(backup, path, { accept, keepAs: `${path}.kept` });
  assert.deepEqual(readdirSync(join(path, '..')).sort(), ['plinth.db', 'plinth.db.kept']);
});

for (const { name, make, reason } of [...damages, ...deepDamages]) {
  test(`neither backed up nor restored from, and left alone: ${name}`, async t => {
    const path = await closedDatabase(t);
    make(path);
    const before = fingerprint(join(path, '..'));
    const elsewhere = temporaryFolder(t);
    for (const [what, work] of [
      ['database', () => backUpSqlite(path, join(elsewhere, 'b.db'))],
      ['backup', () => restoreSqlite(path, join(elsewhere, 'plinth.db'), { accept })],
    ] as const) {
      await assert.rejects(work, error => {
        assert.ok(error instanceof DatabaseRefused, String(error));
        assert.match(error.message, reason);
        assert.ok(error.message.startsWith(`the ${what} ${path} `));
        return true;
      });
    }
    assert.deepEqual(readdirSync(elsewhere), []);
    assert.deepEqual(fingerprint(join(path, '..')), before);
  });

  test(`gives way to a backup and is kept: ${name}`, async t => {
    const { backup } = await twoStates(t);
    const place = await closedDatabase(t);
    make(place);
    const before = bodies(join(place, '..'));
    const restoring = restoreSqlite(backup, place, { accept, keepAs: `${place}.kept` });
    if (foreign.includes(name)) {
      await assert.rejects(restoring, /is not a Plinth database, and stays$|cannot be opened: |EISDIR/);
      assert.deepEqual(bodies(join(place, '..')), before);
      return;
    }
    assert.equal((await restoring).kept, true);
    assert.deepEqual(peopleIn(place), ['ada', 'bea']);
    const { 'plinth.db': _, ...kept } = bodies(join(place, '..'));
    const expected = Object.entries(before).map(([file, body]) => [file.replace('.db', '.db.kept'), body]);
    assert.deepEqual(kept, Object.fromEntries(expected));
  });
}

test('what root restores or backs up belongs to whoever has the place', {
  skip: process.geteuid?.() !== 0,
}, async t => {
  const { path, backup } = await twoStates(t);
  chownSync(path, 1234, 4321);
  await restoreSqlite(backup, path, { accept, keepAs: `${path}.kept` });
  const elsewhere = temporaryFolder(t);
  chownSync(elsewhere, 1234, 4321);
  await backUpSqlite(path, join(elsewhere, 'b.db'));
  for (const file of [path, `${path}.kept`, join(elsewhere, 'b.db')]) {
    const { uid, gid } = statSync(file);
    assert.deepEqual([uid, gid], [1234, 4321], file);
  }
});

test('an interrupted copy leaves nothing', async t => {
  const { path, backup } = await twoStates(t);
  const before = fingerprint(join(path, '..'));
  const signal = AbortSignal.abort(new Error('interrupted'));
  const elsewhere = temporaryFolder(t);
  const interrupted = { message: 'interrupted' };
  await assert.rejects(backUpSqlite(path, join(elsewhere, 'b.db'), { signal }), interrupted);
  await assert.rejects(restoreSqlite(backup, path, { accept, keepAs: `${path}.kept`, signal }), interrupted);
  assert.deepEqual(readdirSync(elsewhere), []);
  assert.deepEqual(fingerprint(join(path, '..')), before);
});

/** What is in the files of a folder behind SQLite's header, which says whether there is a log. */
function bodies(path: string): Record<string, Buffer> {
  const files = readdirSync(path, { withFileTypes: true }).filter(entry => entry.isFile());
  const read = files.map(({ name }) => [name, readFileSync(join(path, name))] as const);
  return Object.fromEntries(
    read
      .filter(([, bytes]) => bytes.length > 0)
      .map(([name, bytes]) => [
        name,
        name.endsWith('-wal') ? bytes : bytes.subarray(bytes.length > 100 ? 100 : 0),
      ]),
  );
}
