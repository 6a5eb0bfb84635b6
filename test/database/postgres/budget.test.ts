/** However often a request asks the database, it waits for it for three seconds in all. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import type { DatabaseOptions } from '../../../src/database/engine.ts';
import {
  type Database,
  DatabaseUnavailable,
  openDatabase,
  prepared,
  type Queries,
} from '../../../src/database.ts';
import { startApp } from '../../helpers/app.ts';
import { migratedDatabase } from '../../helpers/postgres/databases.ts';

/** Milliseconds that no test lasts for. */
const endless = 600_000;
/** The budget of a request is the only limit. */
const budgetAlone = (budget: number): DatabaseOptions => ({
  patience: { statement: endless, transaction: endless, request: budget },
  serverLimits: { statement: endless, lock: endless, idle: endless },
});

async function open(t: TestContext, options: DatabaseOptions = {}): Promise<Database> {
  const database = await openDatabase(await migratedDatabase(), options);
  t.after(() => database.close());
  return database;
}

/** A database on whose clock each statement takes `pace` milliseconds, and what was sent to it. */
async function openPaced(t: TestContext, options: DatabaseOptions = {}) {
  const paced = { pace: 0, sent: [] as string[] };
  let now = 0;
  const query = pg.Client.prototype.query as (...args: unknown[]) => unknown;
  t.mock.method(pg.Client.prototype, 'query', function (this: pg.Client, ...args: unknown[]) {
    const [first] = args as [string | { readonly text: string }];
    const text = typeof first === 'string' ? first : first.text;
    if (!/^select set_config|^create database/.test(text)) {
      paced.sent.push(text);
      now += paced.pace;
    }
    return query.apply(this, args);
  });
  return Object.assign(paced, { database: await open(t, { ...options, monotonic: () => now }) });
}

/** As a request does it. */
function inBudget<T>(database: Database, work: () => Promise<T>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  assert.ok(database.inBudget);
  database.inBudget(() => resolve(work()));
  return promise;
}

/** Keeps everybody else from a table for as long as `work` takes. */
async function whileLocked(database: Database, table: string, work: () => Promise<unknown>): Promise<void> {
  await database.transaction(async tx => {
    await sql`lock table ${sql.table(table)}`.execute(tx);
    await work();
  });
}

/** Of the server's process for the connection that is used. */
async function pidOf(db: Pick<Queries, 'selectNoFrom'>): Promise<number> {
  const query = db.selectNoFrom(sql<number>`pg_backend_pid()`.as('pid'));
  return (await query.executeTakeFirstOrThrow()).pid;
}

const countUsers = prepared({ pattern: 'text' }, (db: Queries, { pattern }) =>
  db
    .selectFrom('users')
    .where('email', 'like', pattern)
    .select(({ fn }) => fn.countAll<number>().as('count')),
);

test('requests to a database that takes 0.9 s for each statement end with 503 when they have waited long enough', async t => {
  const paced = await openPaced(t);
  const app = await startApp(t, { database: paced.database });
  const { email, password, token } = await app.person();
  const next = 'another good passphrase';
  const json = { current_password: password, new_password: next };
  // What was begun with time left is not stopped by this clock, which moves in no timer: the count, in four statements.
  for (const [name, sent, status, ask] of [
    ['a login', 5, 200, () => app.post('/login', { email, password })],
    ['a registration', 5, 201, () => app.post('/users', { email: 'new@example.com', password })],
    ['a change of password', 6, 204, () => app.request('PUT', '/me/password', { token, json })],
    ['a deletion', 6, 204, () => app.post('/me/deletion', { password: next }, { token })],
  ] as const) {
    Object.assign(paced, { pace: 900, sent: [] });
    const slow = await ask();
    assert.deepEqual(
      [slow.status, slow.body?.code, slow.headers.get('retry-after'), paced.sent.length],
      [503, 'unavailable', '1', sent],
      name,
    );
    paced.pace = 0;
    assert.equal((await ask()).status, status, name);
  }
});

test('what comes after the body of a request is in the same time as what came before it', async t => {
  const paced = await openPaced(t);
  const app = await startApp(t, { database: paced.database });
  const { token } = await app.person();
  const json = JSON.stringify({ name: 'Ada' });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': json.length,
  };
  Object.assign(paced, { pace: 4000, sent: [] });
  const renaming = request(`${app.url}/me`, { method: 'PATCH', headers });
  const answered = once(renaming, 'response');
  renaming.flushHeaders();
  while (paced.sent.length === 0) await delay(1);
  // When this has been answered by the database, so has the question whose token it is.
  await app.get('/health');
  renaming.end(json);
  const [answer] = await answered;
  answer.resume();
  assert.equal(answer.statusCode, 503);
});

test('what a request has begun is given up when its time is over, and no connection but its own', async t => {
  const database = await open(t, budgetAlone(30));
  const all = Promise.withResolvers<void>();
  const atFirst: number[] = [];
  const open4 = Array.from({ length: 4 }, () =>
    database.transaction(async tx => {
      atFirst.push(await pidOf(tx));
      if (atFirst.length === 4) all.resolve();
      await all.promise;
    }),
  );
  await Promise.all(open4);
  await whileLocked(database, 'users', async () => {
    for (const work of [
      () => database.transaction(tx => tx.deleteFrom('users').execute()),
      () => database.statement(tx => tx.deleteFrom('users').execute()),
    ])
      await assert.rejects(inBudget(database, work), { name: 'DatabaseUnavailable', message: /in time/ });
    assert.ok(atFirst.includes(await database.transaction(pidOf)));
  });
});

test('of reads that travel together each waits for as long as it may itself', async t => {
  const database = await open(t, budgetAlone(30));
  const count = () => countUsers(database.db, { pattern: '%' });
  let others: ReturnType<typeof count> | undefined;
  await whileLocked(database, 'users', async () => {
    const first = inBudget(database, count);
    others = count();
    await assert.rejects(first, DatabaseUnavailable);
  });
  assert.deepEqual(await others, [{ count: 0 }]);
});

test('reads that have gathered and whose requests gave up meanwhile are not sent any more', async t => {
  const paced = await openPaced(t, budgetAlone(30));
  const { database } = paced;
  const count = () => countUsers(database.db, { pattern: '%' });
  await whileLocked(database, 'users', async () => {
    const asked = Array.from({ length: 1000 }, () => inBudget(database, count));
    for (const { status } of await Promise.allSettled(asked)) assert.equal(status, 'rejected');
    paced.sent = [];
  });
  assert.deepEqual(await count(), [{ count: 0 }]);
  // This one, and two that were under way and may have waited for a connection.
  const sent = paced.sent.filter(text => text.includes('users')).length;
  assert.ok(sent <= 3, `${sent}`);
});

test('waits at the same time are charged once', async t => {
  const paced = await openPaced(t);
  const { database } = paced;
  const ask = () => pidOf(database.db);
  await inBudget(database, async () => {
    paced.pace = 1000;
    await Promise.all([ask(), ask()]);
    await ask();
    await assert.rejects(ask(), { name: 'DatabaseUnavailable', message: /long enough/ });
  });
  await ask();
});

test('the keys that all requests wait for are read in the time of none of them', async t => {
  const database = await open(t, budgetAlone(30));
  let now = 0;
  const app = await startApp(t, { database, monotonic: () => now });
  now += 60_000;
  await whileLocked(database, 'signing_keys', async () =>
    assert.equal((await app.get('/.well-known/jwks.json')).status, 503),
  );
  await app.stop();
  await database.close();
  assert.deepEqual(
    app.logged.filter(({ event }) => event === 'signing_keys_unreadable'),
    [],
  );
});

test('that a session was used is noted in the time of nobody', async t => {
  const paced = await openPaced(t);
  const app = await startApp(t, { database: paced.database });
  const { token } = await app.person();
  app.turnClock(120);
  Object.assign(paced, { pace: 4000, sent: [] });
  assert.equal((await app.get('/me', { token })).status, 200);
  await app.stop();
  assert.ok(paced.sent.some(text => /^update "sessions"/.test(text)));
  assert.deepEqual(
    app.logged.filter(({ event }) => event === 'upkeep_failed'),
    [],
  );
});
