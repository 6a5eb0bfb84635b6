import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { Overloaded } from '../../src/bcrypt/engine.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { startApp, unlimited } from '../helpers/app.ts';
import type { Answer } from '../helpers/client.ts';
import { me, startNodes } from '../helpers/nodes.ts';
import { address, countingEngine, failFrom, inMemory, logInFrom, proxied, tally, wrong } from './support.ts';

const strangers = (number: number): string => address(number);
const owner = '203.0.113.5';

test('of 150 wrong passwords from 150 sources, ten are verified', async t => {
  const engine = await countingEngine(t);
  const app = await startApp(t, { engine, settings: { ...proxied, ...inMemory } });
  const { email } = await app.register();
  engine.count = 0;
  assert.equal(tally(await failFrom(app, email, 150, strangers)), '401 x 10, 429 x 140');
  assert.equal(engine.count, 10);
});

test('of 150 wrong passwords for 150 accounts from one source, a hundred are', async t => {
  const engine = await countingEngine(t);
  const app = await startApp(t, { engine, settings: { ...proxied, ...inMemory } });
  const statuses: number[] = [];
  for (let number = 0; number < 150; number++)
    statuses.push((await logInFrom(app, owner, `person${number}@example.com`, wrong)).status);
  assert.equal(tally(statuses), '401 x 100, 429 x 50');
  assert.equal(engine.count, 100);
  assert.equal((await logInFrom(app, address(1), 'somebody@example.com', wrong)).status, 401);
});

test('control: without limits, all are verified', async t => {
  const engine = await countingEngine(t);
  const app = await startApp(t, { engine, settings: { ...proxied, ...inMemory, ...unlimited } });
  const { email } = await app.register();
  engine.count = 0;
  assert.equal(tally(await failFrom(app, email, 120, () => owner)), '401 x 120');
  assert.equal(engine.count, 120);
  const rows = await app.world.database.db.selectFrom('limits').select('key').execute();
  assert.deepEqual(rows, []);
});

test('of 200 at once over two nodes, no more than the limit, and a node that starts anew knows of them', async t => {
  const engine = await countingEngine(t);
  const { a, b, database, time } = await startNodes(t, { engine, settings: proxied });
  const { email, password } = await a.register();
  engine.count = 0;
  const tries = (count: number) =>
    Array.from({ length: count }, (_, i) => logInFrom(i % 2 ? a : b, address(i), email, wrong));
  const first = await Promise.all(tries(100));
  const restarted = await startApp(t, {
    engine,
    database,
    settings: proxied,
    clock: time.clock(),
    monotonic: time.monotonic,
  });
  const second = await Promise.all([
    ...tries(50),
    ...Array.from({ length: 50 }, (_, i) => logInFrom(restarted, address(i), email, wrong)),
  ]);
  const statuses = [...first, ...second].map(({ status }) => status);
  assert.equal(tally(statuses), '401 x 10, 429 x 190');
  assert.equal(engine.count, 10);
  // Right or wrong makes no difference to a stranger.
  assert.equal((await logInFrom(restarted, address(7), email, password)).status, 429);
  time.turn(60);
  const one = await Promise.all(tries(20));
  assert.equal(tally(one.map(({ status }) => status)), '401 x 1, 429 x 19');
  assert.equal(engine.count, 11);
});

test('the wait doubles up to 15 minutes, and is over when it says', async t => {
  const { a, time } = await startNodes(t, { settings: proxied });
  const { email, password } = await a.register();
  await failFrom(a, email, 10, strangers);
  const waits: number[] = [];
  for (let round = 0; round < 7; round++) {
    const refused = await logInFrom(a, address(round), email, wrong);
    assert.equal(refused.status, 429);
    const wait = Number(refused.headers.get('retry-after'));
    waits.push(wait);
    time.turn(wait - 1);
    assert.equal((await logInFrom(a, address(round), email, wrong)).status, 429);
    time.turn(1);
    assert.equal((await logInFrom(a, address(round), email, wrong)).status, 401);
  }
  assert.deepEqual(waits, [60, 120, 240, 480, 900, 900, 900]);
  time.turn(900);
  assert.equal((await logInFrom(a, address(9), email, password)).status, 200);
  // After as much quiet again, ten are free.
  time.turn(1800);
  assert.equal(tally(await failFrom(a, email, 11, number => address(500 + number))), '401 x 10, 429 x 1');
});

test('an owner gets in from where they were before, and what they have open goes on, whatever strangers do', async t => {
  const { a, b } = await startNodes(t, { settings: proxied });
  const person = await a.register();
  const { body: session } = await logInFrom(a, owner, person.email, person.password);
  await failFrom(b, person.email, 40, strangers);
  assert.equal(await me(a, session.access_token), 200);
  const refreshed = await a.post('/refresh', { refresh_token: session.refresh_token });
  assert.equal(refreshed.status, 200);
  assert.equal((await logInFrom(b, owner, person.email, person.password)).status, 200);
  // A session counts for itself: elsewhere, too, its owner can change what strangers try to guess.
  const { status } = await a.request('PUT', '/me/password', {
    token: refreshed.body.access_token,
    json: { current_password: person.password, new_password: 'another good passphrase' },
    headers: { 'x-forwarded-for': '192.0.2.77' },
  });
  assert.equal(status, 204);
});

test('control: a source that was never there before is refused with the right password', async t => {
  const { a, b } = await startNodes(t, { settings: proxied });
  const person = await a.register();
  await failFrom(b, person.email, 40, strangers);
  assert.equal((await logInFrom(b, owner, person.email, person.password)).status, 429);
});

test('a known source has the same limit as everybody else, for itself', async t => {
  const engine = await countingEngine(t);
  const app = await startApp(t, { engine, settings: { ...proxied, ...inMemory } });
  const person = await app.register();
  const other = await app.register();
  assert.equal((await logInFrom(app, owner, person.email, person.password)).status, 200);
  engine.count = 0;
  assert.equal(tally(await failFrom(app, person.email, 30, () => owner)), '401 x 10, 429 x 20');
  assert.equal(engine.count, 10);
  // Known to one account, it is a stranger to every other.
  assert.equal(tally(await failFrom(app, other.email, 30, () => owner)), '401 x 10, 429 x 20');
  // What it failed at is nothing to strangers.
  assert.equal(tally(await failFrom(app, person.email, 11, strangers)), '401 x 10, 429 x 1');
});

test('a new password makes strangers of all sources but the one it came from', async t => {
  const app = await startApp(t, { settings: { ...proxied, ...inMemory } });
  const person = await app.register();
  const thief = '192.0.2.66';
  for (const from of [thief, owner]) await logInFrom(app, from, person.email, person.password);
  const { body } = await logInFrom(app, owner, person.email, person.password);
  await failFrom(app, person.email, 11, strangers);
  assert.equal((await logInFrom(app, thief, person.email, wrong)).status, 401);
  const next = 'another good passphrase';
  const change = await app.request('PUT', '/me/password', {
    token: body.access_token,
    json: { current_password: person.password, new_password: next },
    headers: { 'x-forwarded-for': owner },
  });
  assert.equal(change.status, 204);
  assert.equal((await logInFrom(app, thief, person.email, wrong)).status, 429);
  assert.equal((await logInFrom(app, owner, person.email, next)).status, 200);
});

test('a source is known for a month after it was last used, and of many the last twenty are', async t => {
  const { a, time, database } = await startNodes(t, { settings: proxied });
  const person = await a.register();
  const known = async (): Promise<number> =>
    (await database.db.selectFrom('limits').where('account', 'is not', null).select('key').execute()).length;
  for (let number = 0; number < 25; number++) {
    await logInFrom(a, address(number), person.email, person.password);
    time.turn(1);
  }
  assert.equal(await known(), 20);
  await failFrom(a, person.email, 11, number => address(1000 + number));
  assert.equal((await logInFrom(a, address(4), person.email, wrong)).status, 429);
  assert.equal((await logInFrom(a, address(5), person.email, wrong)).status, 401);
  time.turn(30 * 24 * 3600 - 30);
  await logInFrom(a, address(24), person.email, person.password);
  time.turn(60);
  await failFrom(a, person.email, 11, number => address(1000 + number));
  assert.equal((await logInFrom(a, address(23), person.email, person.password)).status, 429);
  assert.equal((await logInFrom(a, address(24), person.email, person.password)).status, 200);
  // With the account all of it goes.
  const token = (await logInFrom(a, address(24), person.email, person.password)).body.access_token;
  const { status } = await a.post('/me/deletion', { password: person.password }, { token });
  assert.equal(status, 204);
  assert.equal(await known(), 0);
});

test('a right password is no failure: a hundred logins in a row are let in', async t => {
  const app = await startApp(t, { settings: inMemory });
  const person = await app.register();
  for (let count = 0; count < 100; count++) await app.login(person);
  for (let count = 0; count < 9; count++)
    assert.equal((await app.post('/login', { email: person.email, password: wrong })).status, 401);
  await app.login(person);
  assert.equal(tally(await failFrom(app, person.email, 11, () => '')), '401 x 10, 429 x 1');
});

/** Every route that checks a password, with a body that has a wrong one, and the right one in its place. */
const checking: readonly (readonly [method: string, path: string, body: (password: string) => object])[] = [
  ['POST', '/me/deletion', password => ({ password })],
  [
    'PUT',
    '/me/password',
    password => ({ current_password: password, new_password: 'another good passphrase' }),
  ],
];

for (const [method, path, body] of checking) {
  test(`${method} ${path} checks no more passwords than a login does, for each session`, async t => {
    const engine = await countingEngine(t);
    const app = await startApp(t, { engine, settings: inMemory });
    const person = await app.register();
    const [thief, own] = [await app.login(person), await app.login(person)];
    engine.count = 0;
    const statuses: number[] = [];
    for (let count = 0; count < 25; count++)
      statuses.push((await app.request(method, path, { token: thief, json: body(wrong) })).status);
    assert.equal(tally(statuses), '401 x 10, 429 x 15');
    assert.equal(engine.count, 10);
    const right = { json: body(person.password) };
    assert.equal((await app.request(method, path, { token: thief, ...right })).status, 429);
    assert.equal(engine.count, 10);
    // Neither a login nor another session is kept out by it.
    assert.equal((await app.post('/login', { email: person.email, password: wrong })).status, 401);
    assert.equal((await app.request(method, path, { token: own, ...right })).status, 204);
  });
}

test('an unknown address is counted and answered as a known one is', async t => {
  const app = await startApp(t, { settings: { ...proxied, ...inMemory } });
  const { email } = await app.register();
  const headers = { 'x-request-id': 'the-same' };
  const seen: string[][] = [];
  for (const [number, one] of [email, 'nobody@example.com', 'not an address', ''].entries()) {
    const answers: string[] = [];
    for (let count = 0; count < 12; count++) {
      // In the middle of a second, so that what is left of the wait is rounded alike.
      const answer = await logInFrom(app, address(number), one, wrong, headers);
      answers.push(visible(answer).replace(/(seconds?|t=|retry-after","|again in )\d+/g, '$1N'));
    }
    seen.push(answers);
  }
  const [first, ...others] = seen;
  assert.match(first?.[9] ?? '', /^401/);
  assert.match(first?.[10] ?? '', /^429/);
  for (const other of others) assert.deepEqual(other, first);
});

test('who hangs up before the answer has made an attempt all the same', async t => {
  const engine = await countingEngine(t);
  const app = await startApp(t, { engine, settings: { ...inMemory, BCRYPT_COST: '10' } });
  const { email } = await app.register();
  for (let count = 0; count < 10; count++)
    await hangUp(app.url, { email, password: wrong }, () => engine.count);
  const { status } = await app.post('/login', { email, password: wrong });
  assert.equal(status, 429);
  const events = app.logged.filter(({ event }) => event === 'login_unfinished');
  assert.equal(events.length, 10);
});

test('what the hashing engine refuses is no attempt', async t => {
  const inner = await createBcryptEngine({ threads: 1, log: () => undefined });
  t.after(() => inner.close());
  let isFull = false;
  const engine = {
    description: 'refuses late',
    digest: (work: Parameters<typeof inner.digest>[0]) =>
      isFull ? Promise.reject(new Overloaded(1)) : inner.digest(work),
    close: () => inner.close(),
  };
  const app = await startApp(t, { engine, settings: inMemory });
  const { email } = await app.register();
  isFull = true;
  for (let count = 0; count < 15; count++)
    assert.equal((await app.post('/login', { email, password: wrong })).status, 503);
  isFull = false;
  assert.equal(tally(await failFrom(app, email, 11, () => '')), '401 x 10, 429 x 1');
});

test('where the engine would refuse, nothing is written', async t => {
  const inner = await createBcryptEngine({ threads: 1, log: () => undefined });
  t.after(() => inner.close());
  const engine = {
    description: 'refuses',
    digest: inner.digest.bind(inner),
    refusal: () => new Overloaded(1),
    close: () => inner.close(),
  };
  const app = await startApp(t, { engine, settings: inMemory });
  assert.equal((await app.post('/login', { email: 'a@example.com', password: wrong })).status, 503);
  assert.equal((await app.post('/users', { email: 'a@example.com', password: wrong })).status, 503);
  const rows = await app.world.database.db.selectFrom('limits').select('key').execute();
  assert.deepEqual(rows, []);
});

test('right passwords at once wait for their turn, and none is refused', async t => {
  for (const settings of [{}, inMemory]) {
    const app = await startApp(t, { settings });
    const { email, password } = await app.register();
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => app.post('/login', { email, password })),
    );
    assert.equal(tally(answers.map(({ status }) => status)), '200 x 60');
  }
});

test('wrong ones that wait for their turn do not get one', async t => {
  const engine = await countingEngine(t);
  const app = await startApp(t, { engine, settings: inMemory });
  const person = await app.register();
  engine.count = 0;
  const json = { email: person.email, password: wrong };
  const answers = await Promise.all(Array.from({ length: 100 }, () => app.post('/login', json)));
  assert.equal(tally(answers.map(({ status }) => status)), '401 x 10, 429 x 90');
  assert.equal(engine.count, 10);
});

/** Sends a login and closes the connection as soon as the password is being verified. */
async function hangUp(url: string, json: object, count: () => number): Promise<void> {
  const { hostname, port } = new URL(url);
  const body = JSON.stringify(json);
  const before = count();
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  while (count() === before) await new Promise(setImmediate);
  socket.destroy();
  await new Promise(resolve => socket.once('close', resolve));
}

/** What a stranger sees, but for the clock. */
function visible({ status, headers, text }: Answer): string {
  const shown = [...headers].filter(([name]) => name !== 'date' && name !== 'content-length');
  return `${status} ${JSON.stringify(shown)} ${text}`;
}
