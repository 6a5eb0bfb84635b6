import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Database, DatabaseUnavailable, isUniqueViolation } from '../../../src/database.ts';
import { insertUser, names } from '../support.ts';
import { open } from './support.ts';

test('a commit is acknowledged by the end of a sync that began after it; many share one', async t => {
  const { events, told, database, finish } = await openHeld(t);
  const ada = told('ada');
  await until(() => events.includes('sync 1 begins'));
  const others = ['bob', 'eve', 'zoe'].map(told);
  await until(async () => (await names(database)).length === 4);
  await settle();
  finish();
  await ada;
  await until(() => events.includes('sync 2 begins'));
  await settle();
  finish();
  await Promise.all(others);
  assert.deepEqual(
    events.filter(event => event !== 'ada is told'),
    [
      'sync 1 begins',
      'sync 1 ends',
      'sync 2 begins',
      'sync 2 ends',
      'bob is told',
      'eve is told',
      'zoe is told',
    ],
  );
  assert.ok(events.indexOf('ada is told') > events.indexOf('sync 1 ends'));
  assert.ok(events.indexOf('ada is told') < events.indexOf('sync 2 ends'), 'not later than it has to be');
});

test('"taken" is not said before the row that took it is durable', async t => {
  const { events, told, database, finish } = await openHeld(t);
  const ada = told('ada');
  await until(() => events.includes('sync 1 begins'));
  const taken = insertUser(database, 'ada').catch(error => {
    events.push('taken is told');
    return error;
  });
  await settle();
  assert.deepEqual(events, ['sync 1 begins']);
  finish();
  await until(() => events.includes('sync 2 begins'));
  finish();
  await ada;
  assert.ok(isUniqueViolation(await taken, 'users.email_canonical'));
  assert.ok(events.indexOf('taken is told') > events.indexOf('sync 1 ends'));
});

test('after a failed sync nothing is acknowledged any more, whatever later syncs say; reads go on', async t => {
  const failure = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  const fatal: unknown[] = [];
  let failing = false;
  const sync = async () => {
    if (failing) throw failure;
  };
  const { database, path } = await open(t, { sync, onFatal: cause => fatal.push(cause) });
  await insertUser(database, 'ada');
  failing = true;
  const refused = await Promise.allSettled(['bob', 'eve'].map(name => insertUser(database, name)));
  failing = false;
  let worked = false;
  const later = await Promise.allSettled([
    database.transaction(async () => {
      worked = true;
    }),
  ]);
  for (const result of [...refused, ...later]) {
    assert.equal(result.status, 'rejected');
    assert.ok(result.reason instanceof DatabaseUnavailable);
    assert.equal(result.reason.cause, failure);
  }
  assert.equal(worked, false);
  assert.deepEqual(fatal, [failure]);
  assert.ok((await names(database)).includes('ada'));
  await database.ping();
  await database.close();
  assert.ok(existsSync(`${path}-wal`), 'what may not be on the disk is not copied into the database');

  const { database: again } = await open(t, {}, path);
  assert.ok((await names(again)).includes('ada'));
});

/** A database whose syncs end when the test says so. */
async function openHeld(t: TestContext) {
  const events: string[] = [];
  let held: PromiseWithResolvers<void> | undefined;
  let syncs = 0;
  let holding = true;
  const sync = async () => {
    const number = ++syncs;
    held = Promise.withResolvers();
    events.push(`sync ${number} begins`);
    if (holding) await held.promise;
    events.push(`sync ${number} ends`);
  };
  const finish = () => held?.resolve();
  const { database } = await open(t, { sync });
  const told = (name: string) => insertUser(database, name).then(() => events.push(`${name} is told`));
  t.after(() => {
    holding = false;
    finish();
  });
  return { database, events, told, finish } satisfies { database: Database } & Record<string, unknown>;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await turn();
}

/** Long enough for everything that does not wait for the disk. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await turn();
}
