import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { mock, test } from 'node:test';
import { DatabaseUnavailable, isUniqueViolation, openDatabase } from '../../src/database.ts';
import { insertUser, names, open, user } from './support.ts';

for (const where of ['file', 'memory'] as const) {
  const opened = (t: Parameters<typeof open>[0]) => (where === 'file' ? open(t) : open(t, {}, ':memory:'));

  test(`${where}: what throws is rolled back`, async t => {
    const { database } = await opened(t);
    const failure = new Error('changed my mind');
    const work = database.transaction(async tx => {
      await tx.insertInto('users').values(user('ada')).execute();
      throw failure;
    });
    await assert.rejects(work, failure);
    assert.deepEqual(await names(database), []);
    await insertUser(database, 'bob');
    assert.deepEqual(await names(database), ['bob']);
  });

  test(`${where}: nobody sees a transaction that is open, and one waits for another`, async t => {
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
    const read = names(database);
    if (where === 'file') assert.deepEqual(await read, []);
    await new Promise(setImmediate);
    go();
    await Promise.all([first, second]);
    if (where === 'memory') assert.ok((await read).includes('ada'), 'it waits for the end');
    assert.deepEqual(order, ['first', 'second']);
    assert.deepEqual(await names(database), ['ada', 'bob']);
  });

  test(`${where}: a violated constraint is recognised by its columns`, async t => {
    const { database } = await opened(t);
    await insertUser(database, 'ada');
    const ada = user('ada');
    const taken = await insertUser(database, 'ada').catch(error => error);
    assert.ok(isUniqueViolation(taken, 'users.email_canonical'));
    assert.ok(!isUniqueViolation(taken, 'users.id'));
    await database.transaction(tx =>
      tx
        .insertInto('users')
        .values({ ...ada, email_canonical: 'b' })
        .execute(),
    );
    const again = database.transaction(tx =>
      tx
        .insertInto('users')
        .values({ ...ada, email_canonical: 'c' })
        .execute(),
    );
    assert.ok(isUniqueViolation(await again.catch(error => error), 'users.id'));
    const absent = { ...user('c'), email: null as unknown as string };
    const other = database.transaction(tx => tx.insertInto('users').values(absent).execute());
    assert.ok(!isUniqueViolation(await other.catch(error => error), 'users.email'));
  });

  test(`${where}: a constraint decides among many at once`, async t => {
    const { database } = await opened(t);
    const all = await Promise.allSettled(Array.from({ length: 50 }, () => insertUser(database, 'ada')));
    assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 1);
    const others = all.filter(result => result.status === 'rejected');
    assert.ok(others.every(({ reason }) => isUniqueViolation(reason, 'users.email_canonical')));
  });

  test(`${where}: a statement that nobody awaited does not run after the end`, async t => {
    const { database } = await opened(t);
    let late: Promise<unknown> = Promise.resolve();
    await database.transaction(async tx => {
      late = Promise.resolve().then(async () => {
        for (let turn = 0; turn < 50; turn++) await null;
        await tx.insertInto('users').values(user('ada')).execute();
      });
      late.catch(() => {});
    });
    await assert.rejects(late);
    assert.deepEqual(await names(database), []);
  });

  test(`${where}: closing lets what runs finish and refuses what comes`, async t => {
    const { database } = await opened(t);
    const running = [insertUser(database, 'ada'), insertUser(database, 'bob')];
    const closed = database.close();
    await assert.rejects(insertUser(database, 'eve'), DatabaseUnavailable);
    await Promise.all([...running, closed, database.close()]);
    await assert.rejects(database.ping(), DatabaseUnavailable);
    await assert.rejects(names(database), DatabaseUnavailable);
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

test('two instances in one process, and a second process, share a file', async t => {
  const { database: first, path } = await open(t);
  const { database: second } = await open(t, {}, path);
  const script = `
    import { openDatabase } from '${new URL('../../src/database.ts', import.meta.url)}';
    import { insertUser } from '${new URL('./support.ts', import.meta.url)}';
    const database = await openDatabase('sqlite:${path}');
    for (let n = 0; n < 50; n++) await insertUser(database, 'child' + n);
    await database.close();`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: 'inherit',
  });
  const exit = once(child, 'exit');
  for (let n = 0; n < 50; n++) {
    await Promise.all([insertUser(first, `first${n}`), insertUser(second, `second${n}`)]);
    assert.equal((await names(second)).filter(name => name === `first${n}`).length, 1);
  }
  assert.deepEqual(await exit, [0, null]);
  assert.equal((await names(first)).length, 150);
});

test('what another instance commits is seen', async t => {
  const { database: reading, path } = await open(t);
  const { database: writing } = await open(t, {}, path);
  for (const name of ['ada', 'bob', 'eve']) {
    await names(reading);
    await insertUser(writing, name);
    assert.ok((await names(reading)).includes(name));
  }
});

test('many instances may open a new file at once', async t => {
  const { path } = await open(t).then(async opened => {
    await opened.database.close();
    return { path: `${opened.path}.new` };
  });
  const all = await Promise.all(Array.from({ length: 5 }, () => openDatabase(`sqlite:${path}`)));
  await Promise.all(all.map((database, n) => insertUser(database, `ada${n}`)));
  assert.equal((await names(all[0] ?? assert.fail())).length, 5);
  await Promise.all(all.map(database => database.close()));
});
