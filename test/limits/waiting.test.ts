import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import { openDatabase } from '../../src/database.ts';
import { Problem } from '../../src/errors.ts';
import { type Begun, createAttempts } from '../../src/limits/attempts.ts';
import type { Limiter } from '../../src/limits/limiter.ts';
import { createTurns } from '../../src/limits/turns.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import type { Answer, Person } from '../helpers/client.ts';
import { newDatabase } from '../helpers/database.ts';
import { type GatedEngine, gatedEngine } from '../helpers/gated-engine.ts';
import { tally } from './support.ts';

test('of right passwords at once, a hundred wait for their turn and no more', async t => {
  const { app, engine, person, logIn } = await atTheLimit(t);
  const over: number[] = [];
  const waiting = Array.from({ length: 125 }, async () => {
    const { status } = await logIn(person);
    if (status === 429) over.push(status);
    return status;
  });
  while (over.length < 25) await new Promise(setImmediate);
  engine.release();
  assert.equal(tally(await Promise.all(waiting)), '200 x 100, 429 x 25');
  // The ten before them, too.
  assert.equal(app.logged.filter(({ event }) => event === 'session_started').length, 110);
});

test('who has waited for too long is told that there is too much to do, and who has not gets a turn', async () => {
  let now = 0;
  const turns = createTurns({ monotonic: () => now, maxWait: 3000 });
  const ends = [turns.begin(['a']), turns.begin(['a', 'b'])];
  const waiting = [turns.next('a', 0), turns.next('a', 1)];
  assert.equal(turns.next('c', 0), undefined);
  now = 3001;
  for (const end of ends) end(true);
  const [long, short] = await Promise.allSettled(waiting);
  assert.ok(long?.status === 'rejected' && long.reason instanceof Problem);
  assert.deepEqual([long.reason.code, long.reason.headers['retry-after']], ['overloaded', '1']);
  assert.equal(short?.status, 'fulfilled');
});

test('a limit that was looked at too soon is looked at again, if it was of the same account', async t => {
  const database = await openDatabase(await newDatabase(t));
  t.after(() => database.close());
  let looks = 0;
  // Has room for one at a time, of each account, and is slow to say what it has seen.
  const limiter: Limiter = {
    async take(claims, beforeCounting = () => undefined) {
      looks++;
      const [{ policy, key } = assert.fail()] = claims;
      const isFull = counted.has(key);
      if (isFull) await meanwhile();
      if (isFull) return { refused: true, policy, key, wait: 1000 };
      beforeCounting();
      counted.add(key);
      return { refused: false, giveBack: async () => void counted.delete(key) };
    },
  };
  const counted = new Set<string>();
  let meanwhile = async () => {};
  const attempts = createAttempts({
    database,
    limiter,
    clock: () => new Date(),
    monotonic: () => 0,
    maxWait: 3000,
    pseudonym: (...parts) => parts.join(),
    perAccount: 1,
    perSource: 0,
  });
  const begin = async (account: string) => {
    const begun = await attempts.begin({ account, network: account });
    return begun.refused ? undefined : begun;
  };
  const cancel = async (begun: Begun | undefined) => {
    await database.transaction(async tx => begun?.cancel(tx));
    begun?.end(true);
  };
  const [ada, grace] = [await begin('ada'), await begin('grace')];
  meanwhile = () => cancel(ada);
  assert.ok(await begin('ada'));
  assert.equal(looks, 4);
  // Of this one nothing is undecided, so that it is refused as soon as it is seen.
  counted.add('account,alan');
  meanwhile = () => cancel(grace);
  assert.equal(await begin('alan'), undefined);
  assert.equal(looks, 5);
});

test('of what is over, nothing is kept', () => {
  const all = new Map();
  const turns = createTurns({ monotonic: () => 0, maxWait: 3000 }, all);
  const watched = turns.watch(['a']);
  const end = turns.begin(['a', 'b']);
  assert.equal(all.size, 2);
  end(true);
  assert.ok(watched.isLate);
  const later = turns.watch(['a']);
  turns.begin(['a'])(false);
  assert.ok(!later.isLate, 'what failed makes no room');
  assert.equal(turns.next('a', 0), undefined, 'it is watched and decided');
  for (const watch of [watched, later]) watch[Symbol.dispose]();
  assert.equal(all.size, 0);
});

test('who hangs up while they wait gives up their turn, and has tried nothing', async t => {
  const { app, engine, person, logIn, first, asked } = await atTheLimit(t);
  const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
  const body = JSON.stringify({ email: person.email, password: person.password });
  socket.write(
    `POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await asked(11);
  socket.destroy();
  const isOver = () => app.logged.some(({ route, status }) => route === '/login' && status === null);
  while (!isOver()) await new Promise(setImmediate);
  engine.release();
  assert.equal(tally((await Promise.all(first)).map(({ status }) => status)), '200 x 10');
  assert.equal((await logIn(person)).status, 200);
  assert.equal(app.logged.filter(({ event }) => event === 'login_unfinished').length, 0);
});

interface AtTheLimit {
  readonly app: TestApp;
  readonly engine: GatedEngine;
  readonly person: Person;
  readonly logIn: (person: Person) => Promise<Answer>;
  /** Ten logins whose passwords are being verified: none is decided. */
  readonly first: readonly Promise<Answer>[];
  /** Resolves when so many logins have begun. */
  readonly asked: (count: number) => Promise<void>;
}

async function atTheLimit(t: TestContext): Promise<AtTheLimit> {
  const inner = await gatedEngine(t);
  let count = 0;
  // It is asked before anything else is done for a login.
  const engine = Object.assign(inner, { refusal: () => void count++ });
  // It answers within the turn of the event loop, so that who has asked waits, whatever the tests run on.
  const app = await startApp(t, { engine, settings: { DATABASE_URL: 'sqlite::memory:' } });
  const person = await app.register();
  count = 0;
  const logIn = ({ email, password }: Person) => app.post('/login', { email, password });
  const held = engine.hold(10);
  const first = Array.from({ length: 10 }, () => logIn(person));
  await held;
  const asked = async (wanted: number): Promise<void> => {
    while (count < wanted) await new Promise(setImmediate);
  };
  return { app, engine, person, logIn, first, asked };
}
