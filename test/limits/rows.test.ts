import assert from 'node:assert/strict';
import test from 'node:test';
import { startUpkeep } from '../../src/auth/upkeep.ts';
import { stored } from '../helpers/database.ts';
import { startNodes } from '../helpers/nodes.ts';
import { address, failFrom, logInFrom, proxied, wrong } from './support.ts';

test('what was counted goes when it counts no more, a bounded batch at a time', async t => {
  const { a, time, database } = await startNodes(t, { settings: proxied });
  const person = await a.register();
  assert.equal((await logInFrom(a, '203.0.113.1', person.email, person.password)).status, 200);
  await failFrom(a, person.email, 3, address);
  const count = async (): Promise<number> =>
    (await database.db.selectFrom('limits').select('key').execute()).length;
  const upkeep = startUpkeep({
    database,
    clock: time.clock(),
    onFailure: cause => assert.fail(String(cause)),
  });
  t.after(() => upkeep.stop());
  await upkeep.sweep();
  // The account, three sources, the source that is known, and that somebody registered.
  assert.equal(await count(), 6);
  time.turn(15 * 60);
  await upkeep.sweep();
  assert.equal(await count(), 1);

  const expires_at = time.clock()();
  const rows = Array.from({ length: 1201 }, (_, i) => ({
    key: `k${i}`,
    account: null,
    times: '[]',
    strikes: 0,
    expires_at,
  }));
  await database.transaction(tx => tx.insertInto('limits').values(rows).execute());
  assert.equal(await upkeep.sweep(), 1201);
  time.turn(30 * 24 * 3600);
  await upkeep.sweep();
  assert.equal(await count(), 0);
});

test('more than one sweep takes is swept at once, and not a minute later', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { database, time } = await startNodes(t);
  let left = 30_000;
  let asked = 0;
  const full: typeof database = {
    ...database,
    async statement<Result>() {
      asked++;
      const count = Math.min(500, left);
      left -= count;
      return count as Result;
    },
  };
  const upkeep = startUpkeep({
    database: full,
    clock: time.clock(),
    onFailure: cause => assert.fail(String(cause)),
  });
  t.after(() => upkeep.stop());
  const pass = async (milliseconds: number): Promise<number> => {
    t.mock.timers.tick(milliseconds);
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    return left;
  };
  assert.equal(await pass(59_999), 30_000);
  assert.equal(await pass(1), 10_000);
  assert.equal(await pass(1000), 0);
  // The last sweep was full too, and the next one finds nothing.
  await pass(1000);
  const before = asked;
  await pass(57_000);
  assert.equal(asked, before);
});

test('a flood of addresses from one source leaves no more rows than its limit', async t => {
  const { a, database } = await startNodes(t, { settings: { ...proxied, LOGIN_LIMIT_SOURCE: '20' } });
  for (let number = 0; number < 60; number++)
    await logInFrom(a, '2001:db8::1', `nobody${number}@example.com`, wrong);
  const rows = await database.db.selectFrom('limits').select('key').execute();
  assert.equal(rows.length, 21);
});

test('no address of a person or a machine is in the rows', async t => {
  const { a, url } = await startNodes(t, { settings: proxied });
  const email = 'canary.address@example.com';
  await failFrom(a, email, 3, () => '203.0.113.77');
  const bytes = (await stored(url)).toString('latin1');
  assert.match(bytes, /limits/);
  for (const text of [email, 'canary', '203.0.113.77']) assert.ok(!bytes.includes(text), text);
});
