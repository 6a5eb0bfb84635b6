import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { backUpSqlite } from '../../../src/database/sqlite/backup.ts';
import { restoreSqlite } from '../../../src/database/sqlite/restore.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { changes } from './backup-process.ts';
import { peopleIn, twoStates } from './backups.ts';

const accept = () => undefined;

test('what lies in a log after a crash is in the backup, and is not taken for the log of what replaces it', async t => {
  const { path, backup } = await twoStates(t);
  await crashWithLog(path);
  const late = join(temporaryFolder(t), 'late.db');
  await backUpSqlite(path, late);
  assert.deepEqual(peopleIn(late), ['ada', 'bea', 'cyd', 'dan']);

  await crashWithLog(path, 'eve');
  await restoreSqlite(backup, path, { accept, keepAs: `${path}.kept` });
  assert.deepEqual(peopleIn(path), ['ada', 'bea']);
  assert.deepEqual(peopleIn(`${path}.kept`), ['ada', 'bea', 'cyd', 'dan', 'eve']);
});

test('who was about to open the old database cannot write to it any more', async t => {
  const { path, backup } = await twoStates(t);
  using late = new DatabaseSync(path, { timeout: 0 });
  await inProcess('restore', backup, path);
  assert.throws(() => late.exec('pragma journal_mode = wal'), /readonly/);
  late.close();
  assert.deepEqual(peopleIn(path), ['ada', 'bea']);
  assert.deepEqual(peopleIn(`${path}.kept`), ['ada', 'bea', 'cyd']);
});

const works = {
  backup: (file: string, path: string) => backUpSqlite(path, file, { overwrite: true }),
  restore: (file: string, path: string) => restoreSqlite(file, path, { accept, keepAs: `${path}.kept` }),
};
const old = { backup: 'ada,bea', restore: 'ada,bea,cyd' };
const fresh = { backup: 'ada,bea,cyd', restore: 'ada,bea' };

for (const what of ['backup', 'restore'] as const) {
  test(`a ${what} that ends at any step leaves the old state or the new one`, async t => {
    const { path, backup } = await twoStates(t, temporaryFolder(t));
    const states = await statesBetween(t, join(path, '..'), () => works[what](backup, path));
    assert.ok(states.length > 12, `${states.length} steps`);
    const found = states.map(state =>
      peopleIn(join(state, basename(what === 'backup' ? backup : path))).join(),
    );
    assert.equal(found[0], old[what]);
    assert.equal(found.at(-1), fresh[what]);
    assert.deepEqual([...new Set(found)], [old[what], fresh[what]]);
    for (const state of states)
      if (what === 'backup') assert.equal(peopleIn(join(state, 'plinth.db')).length, 3);
  });

  test(`kill -9 during a ${what} leaves the old state or the new one`, async t => {
    for (const step of [2, 7, 11]) {
      const { path, backup } = await twoStates(t);
      assert.deepEqual(await inProcess(what, backup, path, step), [null, 'SIGKILL']);
      const people = peopleIn(what === 'backup' ? backup : path).join();
      assert.ok(people === old[what] || people === fresh[what], people);
    }
  });
}

test('control: a restore that writes to the place itself leaves neither', async t => {
  const { path, backup } = await twoStates(t, temporaryFolder(t));
  const careless = async (): Promise<void> => {
    const whole = readFileSync(backup);
    const fd = openSync(path, 'w');
    for (let at = 0; at < whole.length; at += 4096) {
      writeSync(fd, whole, at, 4096);
      fsyncSync(fd);
    }
    closeSync(fd);
  };
  const states = await statesBetween(t, join(path, '..'), careless);
  const sound = states.map(state => {
    try {
      return peopleIn(join(state, 'plinth.db')).length >= 2;
    } catch {
      return false;
    }
  });
  assert.ok(sound.includes(false) && sound.at(-1));
});

/** What a process would leave behind that ended just before one of the changes that `work` makes, and at its end. */
async function statesBetween(t: TestContext, place: string, work: () => Promise<unknown>): Promise<string[]> {
  const states: string[] = [];
  const keep = (): void => {
    const state = join(temporaryFolder(t), 'state');
    // By another process: to close a file here would drop the locks that SQLite has on it.
    execFileSync('cp', ['-r', place, state]);
    states.push(state);
  };
  for (const name of changes) {
    const original = fs[name] as (...args: unknown[]) => unknown;
    t.mock.method(fs, name, (...args: unknown[]) => {
      keep();
      return original(...args);
    });
  }
  const { exec } = DatabaseSync.prototype;
  t.mock.method(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
    keep();
    exec.call(this, sql);
  });
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
  keep();
  return states;
}

/** Somebody is registered by a process that dies then, so that they are in the log alone. */
async function crashWithLog(path: string, name = 'dan'): Promise<void> {
  const writes = `
    import { openDatabase } from '${new URL('../../../src/database.ts', import.meta.url)}';
    import { insertUser } from '${new URL('../support.ts', import.meta.url)}';
    await insertUser(await openDatabase('sqlite:${path}'), '${name}');
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', writes], { stdio: 'inherit' });
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
  assert.ok(statSync(`${path}-wal`).size > 0);
}

/** Runs one in a process, which ends before its `killAt`-th change to the file system. */
async function inProcess(what: string, file: string, path: string, killAt = 0): Promise<unknown[]> {
  const script = fileURLToPath(new URL('./backup-process.ts', import.meta.url));
  return await once(
    spawn(process.execPath, [script, what, file, path, `${killAt}`], { stdio: 'inherit' }),
    'exit',
  );
}
