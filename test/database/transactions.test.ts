import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { DatabaseUnavailable, isUniqueViolation, openDatabase } from '../../src/database.ts';
import { newDatabase } from '../helpers/database.ts';
import { openAt, places } from './places.ts';
import { insertUser, names, user } from './support.ts';

/** That which instances and processes can share. */
const [place] = places;

for (const place of places) {
  test(`${place}: what throws is rolled back`, async t => {
    const { database } = await openAt(t, place);
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

  test(`${place}: nobody sees a transaction that is open`, async t => {
    const { database } = await openAt(t, place);
    const { promise: pause, resolve: go } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const open = database.transaction(async tx => {
      await tx.insertInto('users').values(user('ada')).execute();
      begin();
      await pause;
    });
    await begun;
    const read = names(database);
    if (place !== 'memory') assert.deepEqual(await read, []);
    go();
    await open;
    if (place === 'memory') assert.deepEqual(await read, ['ada'], 'it waits for the end');
    assert.deepEqual(await names(database), ['ada']);
  });

  test(`${place}: a violated constraint is recognised by its columns`, async t => {
    const { database } = await openAt(t, place);
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

  test(`${place}: a constraint decides among many at once`, async t => {
    const { database } = await openAt(t, place);
    const all = await Promise.allSettled(Array.from({ length: 50 }, () => insertUser(database, 'ada')));
    assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 1);
    const others = all.filter(result => result.status === 'rejected');
    assert.ok(others.every(({ reason }) => isUniqueViolation(reason, 'users.email_canonical')));
  });

  test(`${place}: a statement that nobody awaited does not run after the end`, async t => {
    const { database } = await openAt(t, place);
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

  test(`${place}: closing lets what runs finish and refuses what comes`, async t => {
    const { database } = await openAt(t, place);
    const running = [insertUser(database, 'ada'), insertUser(database, 'bob')];
    const closed = database.close();
    await assert.rejects(insertUser(database, 'eve'), DatabaseUnavailable);
    await Promise.all([...running, closed, database.close()]);
    await assert.rejects(database.ping(), DatabaseUnavailable);
    await assert.rejects(names(database), DatabaseUnavailable);
  });
}

test('two instances in one process, and a second process, share a database', async t => {
  const { database: first, url } = await openAt(t, place);
  const { database: second } = await openAt(t, place, url);
  const script = `
    import { openDatabase } from '${new URL('../../src/database.ts', import.meta.url)}';
    import { insertUser } from '${new URL('./support.ts', import.meta.url)}';
    const database = await openDatabase('${url}');
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
  const { database: reading, url } = await openAt(t, place);
  const { database: writing } = await openAt(t, place, url);
  for (const name of ['ada', 'bob', 'eve']) {
    await names(reading);
    await insertUser(writing, name);
    assert.ok((await names(reading)).includes(name));
  }
});

test('many instances may open a new database at once', async t => {
  const url = await newDatabase(t, 'nothing');
  const all = await Promise.all(Array.from({ length: 5 }, () => openDatabase(url)));
  t.after(() => Promise.all(all.map(database => database.close())));
  await Promise.all(all.map((database, n) => insertUser(database, `ada${n}`)));
  assert.equal((await names(all[0] ?? assert.fail())).length, 5);
});
