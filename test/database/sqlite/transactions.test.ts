import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { mock, test } from 'node:test';
import { DatabaseUnavailable } from '../../../src/database.ts';
import { insertUser, names, user } from '../support.ts';
import { open } from './support.ts';

for (const where of ['file', 'memory'] as const) {
  const opened = (t: Parameters<typeof open>[0]) => (where === 'file' ? open(t) : open(t, {}, ':memory:'));

  test(`${where}: one transaction waits for another`, async t => {
    const { database } = await opened(t);
    const order: string[] = [];
    const { promise: pause, resolve: go } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const first = database.transaction(async tx => {
      await tx.insertInto('users').values(user('ada')).execute();
      begin();
      await pause;
      order.push('first');
    });
    await begun;
    const second = database.transaction(async tx => {
      order.push('second');
      await tx.insertInto('users').values(user('bob')).execute();
    });
    await new Promise(setImmediate);
    go();
    await Promise.all([first, second]);
    assert.deepEqual(order, ['first', 'second']);
    assert.deepEqual(await names(database), ['ada', 'bob']);
  });

  test(`${where}: a transaction that waits for something else ends, and the next one has its turn`, async t => {
    const { database } = await opened(t);
    await insertUser(database, 'ada');
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const { promise: never } = Promise.withResolvers<never>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const stuck = database.transaction(async tx => {
      await tx.deleteFrom('users').execute();
      begin();
      await never;
    });
    const next = insertUser(database, 'bob');
    await begun;
    mock.timers.tick(5000);
    await assert.rejects(stuck, /awaited something other than its own queries/);
    await next;
    assert.deepEqual(await names(database), ['ada', 'bob']);
  });
}

test('a file that somebody else has locked is waited for, not in the event loop', async t => {
  const { database, path } = await open(t);
  using other = new DatabaseSync(path);
  other.exec('begin immediate');
  const waiting = insertUser(database, 'ada');
  // The loop turns and reads go on meanwhile.
  for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setTimeout(resolve, 1));
  assert.deepEqual(await names(database), []);
  other.exec('commit');
  await waiting;
  assert.deepEqual(await names(database), ['ada']);
});

test('a file that stays locked: everybody who waits is told in time, together', async t => {
  let clock = 0;
  const { database, path } = await open(t, { monotonic: () => clock });
  using other = new DatabaseSync(path);
  other.exec('begin immediate');
  const waiting = [1, 2, 3].map(n => insertUser(database, `ada${n}`));
  await new Promise(setImmediate);
  clock = 2000;
  for (const { reason } of (await Promise.allSettled(waiting)).filter(
    result => result.status === 'rejected',
  )) {
    assert.ok(reason instanceof DatabaseUnavailable);
    assert.equal(reason.retryAfter, 1);
  }
  other.exec('rollback');
  await insertUser(database, 'bob');
  assert.deepEqual(await names(database), ['bob']);
});
