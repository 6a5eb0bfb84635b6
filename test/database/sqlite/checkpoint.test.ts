import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { mock, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { Database } from '../../../src/database.ts';
import { names, user } from '../support.ts';
import { directly, open } from './support.ts';

test('the log is copied back and starts anew, by a thread that ends when there is no more to do', async t => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { database, path } = await open(t);
  const size = (end: string) => statSync(path + end).size;
  const threads = watchThreads(t);

  await write(database, 'little', 50);
  assert.equal(threads.size, 0, 'no thread without need');
  assert.ok(size('') < 100_000, 'nothing is copied yet');

  let rows = 50;
  for (; threads.size === 0 && rows < 1000; rows++) await write(database, `much${rows}-`, 1);
  // Nobody writes now and nobody closes: whoever copies is the thread.
  while (uncopied(path) > 0) await turn();
  assert.ok(size('') > 1_000_000);

  const full = size('-wal');
  await write(database, 'more', 100);
  assert.equal(size('-wal'), full, 'written over what was copied');

  while (threads.size > 0) {
    mock.timers.tick(10_000);
    await turn();
  }
  assert.equal((await names(database)).length, rows + 100);
  await database.close();
  const [sound] = directly(path, raw => raw.prepare('pragma integrity_check').all());
  assert.deepEqual({ ...sound }, { integrity_check: 'ok' });
});

test('writers who never pause do not keep the log from starting anew', async t => {
  const { database, path } = await open(t);
  let largest = 0;
  const writer = async (_: unknown, me: number) => {
    for (let n = 0; n < 64; n++) {
      const row = { ...user(`${me}-${n}`), name: 'x'.repeat(100_000) };
      await database.transaction(tx => tx.insertInto('users').values(row).execute());
      largest = Math.max(largest, statSync(`${path}-wal`).size);
    }
  };
  await Promise.all(Array.from({ length: 16 }, writer));
  // 100 MiB were written. Without the thread, or if it never caught up, a commit does its work at 64.
  assert.ok(largest < 60 * 2 ** 20, `${largest} bytes of log`);
});

test('a log that grew because somebody read for long is cut down when it starts anew', async t => {
  const { database, path } = await open(t);
  const size = () => statSync(`${path}-wal`).size;
  const grow = (name: string) =>
    database.transaction(tx =>
      tx
        .insertInto('users')
        .values({ ...user(name), name: 'x'.repeat(2 ** 20) })
        .execute(),
    );
  using reader = new DatabaseSync(path, { readOnly: true });
  reader.exec('begin');
  reader.prepare('select count(*) from users').get();
  for (let n = 0; n < 80; n++) await grow(`long${n}`);
  assert.ok(size() > 70 * 2 ** 20, `${size()}`);
  reader.exec('commit');
  for (let n = 0; size() > 64 * 2 ** 20 && n < 100; n++) {
    await grow(`more${n}`);
    await turn();
  }
  assert.ok(size() <= 64 * 2 ** 20, `${size()}`);
});

test('a long log waits, with its writers, for the moment between two reads of another process', async t => {
  const { database, path } = await open(t);
  using reader = new DatabaseSync(path, { readOnly: true });
  using other = new DatabaseSync(path, { timeout: 0 });
  let writing = true;
  let largest = 0;
  const busy = (async () => {
    for (let n = 0; writing && n < 1000; n++) {
      const row = { ...user(`${n}`), name: 'x'.repeat(100_000) };
      await database.transaction(tx => tx.insertInto('users').values(row).execute());
      largest = Math.max(largest, statSync(`${path}-wal`).size);
    }
  })();
  do {
    reader.exec('begin');
    reader.prepare('select count(*) from users').get();
    while (!isLocked(other)) {
      assert.ok(largest < 64 * 2 ** 20, `${largest} bytes of log, and nobody waits`);
      await turn();
    }
    assert.ok(largest > 7 * 2 ** 20, `a log of ${largest} bytes is not worth a wait`);
    reader.exec('commit');
    // The next commit begins the log anew, unless this thread came too late.
    while (isLocked(other)) await turn();
    for (let turns = 0; turns < 50 && framesOf(other) > 1000; turns++) await turn();
  } while (framesOf(other) > 1000);
  writing = false;
  await busy;
});

/** Four pages of text each. */
async function write(database: Database, name: string, rows: number): Promise<void> {
  for (let n = 0; n < rows; n++) {
    const row = { ...user(`${name}${n}`), name: 'x'.repeat(16_000) };
    await database.transaction(tx => tx.insertInto('users').values(row).execute());
  }
}

/** The threads of this process that have not ended. */
function watchThreads(t: TestContext): ReadonlySet<Worker> {
  const alive = new Set<Worker>();
  const add = (worker: Worker) => {
    alive.add(worker);
    worker.once('exit', () => alive.delete(worker));
  };
  process.on('worker', add);
  t.after(() => process.off('worker', add));
  return alive;
}

/** Whether somebody else keeps writers away at this moment. */
function isLocked(raw: DatabaseSync): boolean {
  try {
    raw.exec('begin immediate');
    raw.exec('rollback');
    return false;
  } catch {
    return true;
  }
}

function framesOf(raw: DatabaseSync): number {
  return Number(raw.prepare('pragma wal_checkpoint(noop)').get()?.['log']);
}

function uncopied(path: string): number {
  const { log, checkpointed } = directly(path, raw => raw.prepare('pragma wal_checkpoint(noop)').get()) ?? {};
  return Number(log) - Number(checkpointed);
}
