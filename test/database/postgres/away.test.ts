import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import pg, { DatabaseError } from 'pg';
import type { DatabaseOptions } from '../../../src/database/engine.ts';
import { isDemoted, translated } from '../../../src/database/postgres/failures.ts';
import { DatabaseUnavailable, openDatabase } from '../../../src/database.ts';
import { startApp } from '../../helpers/app.ts';
import { logIn } from '../../helpers/nodes.ts';
import { migratedDatabase } from '../../helpers/postgres/databases.ts';
import { startProxy, type Way } from '../../helpers/postgres/proxy.ts';
import { insertUser, names, user } from '../support.ts';

/** A quarter of what holds, so that nobody waits for it; the ways below are as much quicker. */
const quarter: DatabaseOptions = {
  patience: { statement: 300, transaction: 425, connection: 500, request: 750 },
  serverLimits: { statement: 1250, lock: 375, idle: 1250 },
};

/** A service whose way to its database can be made a bad one. */
async function startBehindProxy(t: TestContext, options: DatabaseOptions = {}) {
  const direct = await migratedDatabase();
  const proxy = await startProxy(t, direct);
  const clients = clientsOf(t, proxy);
  /** Returns when each connection has heard of it. */
  const cut = async (): Promise<void> => {
    const ended = [...clients].map(client => new Promise(resolve => client.once('end', resolve)));
    proxy.cut();
    await Promise.all(ended);
  };
  const database = await openDatabase(proxy.url, options);
  t.after(() => database.close());
  const app = await startApp(t, { database });
  return { app, clients, cut, database, direct, proxy };
}

/** What a machine that is busy with something else may take, where the test is not about time. */
const patient: DatabaseOptions = {
  patience: { statement: 20_000, transaction: 20_000, connection: 20_000, request: 60_000 },
};

/** The connections that this process makes through a proxy from now on, while they are open. */
function clientsOf(t: TestContext, proxy: Way): ReadonlySet<pg.Client> {
  const port = Number(new URL(proxy.url).port);
  const open = new Set<pg.Client>();
  const connect = pg.Client.prototype.connect as (...args: unknown[]) => unknown;
  t.mock.method(pg.Client.prototype, 'connect', function (this: pg.Client, ...args: unknown[]) {
    if (this.port === port) {
      open.add(this);
      this.once('end', () => open.delete(this));
    }
    return connect.apply(this, args);
  });
  return open;
}

/** Somebody, and what they have, by way of a service that takes its time. */
async function makePerson(t: TestContext, direct: string) {
  const database = await openDatabase(direct);
  t.after(() => database.close());
  const app = await startApp(t, { database });
  const person = await app.person();
  return { ...person, refreshToken: (await logIn(app, person)).refresh_token };
}

/** What came of it, and after how many milliseconds. */
async function timed<T>(work: Promise<T>): Promise<readonly [T, number]> {
  const start = performance.now();
  const result = await work;
  return [result, performance.now() - start];
}

const faults: readonly (readonly [fault: string, make: (proxy: Way) => unknown, status: number[]])[] = [
  ['no server', proxy => proxy.close(), [503]],
  ['a black hole', proxy => proxy.blackHole(), [503]],
  ['a byte a second', proxy => proxy.drip(250), [503]],
  ['five seconds slow', proxy => proxy.slow(1250), [503]],
  ['half a second slow', proxy => proxy.slow(62), [200, 201, 204, 503]],
];

for (const [fault, make, statuses] of faults) {
  test(`${fault}: every request ends within three seconds, and where it fails it says when to try again`, async t => {
    const { app, direct, proxy } = await startBehindProxy(t, quarter);
    const { email, password, token, refreshToken } = await makePerson(t, direct);
    await make(proxy);
    const answers = await Promise.all(
      [
        app.get('/me', { token }),
        app.request('PATCH', '/me', { token, json: { name: 'Ada' } }),
        app.post('/login', { email, password }),
        app.post('/users', { email: 'new@example.com', password }),
        app.post('/refresh', { refresh_token: refreshToken }),
        app.request('DELETE', '/me/sessions', { token }),
      ].map(timed),
    );
    const live = await app.get('/health/live');
    const [ready, readyAfter] = await timed(app.get('/health/ready'));
    for (const [{ status, body, headers }, after] of answers) {
      assert.ok(statuses.includes(status), `${status}`);
      assert.ok(after < 3000, `it took ${after} ms`);
      if (status === 503) assert.deepEqual([body.code, headers.get('retry-after')], ['unavailable', '1']);
    }
    assert.equal(live.status, 200);
    if (!statuses.includes(200)) assert.equal(ready.status, 503);
    assert.ok(readyAfter < 2000);
  });
}

for (const [fault, make] of faults.slice(1, 3)) {
  test(`after ${fault} the first good answer comes within two seconds, and no connection of it is used again`, async t => {
    const { app, direct, proxy } = await startBehindProxy(t, quarter);
    const person = await makePerson(t, direct);
    const ask = () => app.get('/me', person);
    await Promise.all(Array.from({ length: 20 }, ask));
    make(proxy);
    for (const { status } of await Promise.all(Array.from({ length: 20 }, ask))) assert.equal(status, 503);
    proxy.heal();
    const start = performance.now();
    while ((await ask()).status !== 200) assert.ok(performance.now() - start < 2000);
    for (const { status } of await Promise.all(Array.from({ length: 20 }, ask))) assert.equal(status, 200);
    assert.ok(proxy.connections() <= 10, `${proxy.connections()} connections`);
  });
}

test('connections that are cut while they rest are replaced before anybody meets them', async t => {
  const { app, cut } = await startBehindProxy(t, patient);
  const person = await app.person();
  for (let round = 0; round < 5; round++) {
    await cut();
    assert.equal((await app.get('/me', person)).status, 200);
  }
});

test('a connection that its server has given notice of is not used from that moment on', async t => {
  const { database, direct, clients } = await startBehindProxy(t, patient);
  await database.ping();
  const [client] = clients;
  assert.ok(client && clients.size === 1);
  const asked = new Promise((resolve, reject) => {
    client.once('error', () => database.ping().then(resolve, reject));
  });
  const administrator = new pg.Client(direct);
  await administrator.connect();
  t.after(() => administrator.end());
  await administrator.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await asked;
});

test('a commit whose answer is lost is neither a success nor a failure, and repeating it gives the one result', async t => {
  const { database, proxy } = await startBehindProxy(t);
  const ada = user('ada');
  proxy.cutAnswerTo('commit\0');
  const unknown = database.transaction(tx => tx.insertInto('users').values(ada).execute());
  await assert.rejects(unknown, DatabaseUnavailable);
  // It was committed: the server had heard it.
  assert.ok((await names(database)).includes('ada'));
  await assert.rejects(insertUser(database, 'ada'), /users\.email_canonical/);
});

test('a statement that hangs in the server is left alone by it, and its connection is not used again', async t => {
  const { database, direct } = await startBehindProxy(t, quarter);
  const [, after] = await timed(
    assert.rejects(
      database.transaction(tx => sql`select pg_sleep(60)`.execute(tx)),
      DatabaseUnavailable,
    ),
  );
  assert.ok(after < 2000);
  const watcher = await openDatabase(direct);
  t.after(() => watcher.close());
  const sleeping = async (): Promise<number> => {
    const activity = sql<{ n: number }>`(select count(*) as n from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and query like '%pg_sleep%' and state = 'active')`;
    const [{ n } = { n: -1 }] = await watcher.db.selectFrom(activity.as('a')).select('n').execute();
    return n;
  };
  const start = performance.now();
  while ((await sleeping()) > 0) {
    assert.ok(performance.now() - start < 6000);
    await delay(10);
  }
});

test('a server that takes no writes is still read, and a write is a 503 that comes to an end', async t => {
  const { app, cut, direct } = await startBehindProxy(t, patient);
  const person = await app.person();
  const administrator = new pg.Client(direct);
  await administrator.connect();
  t.after(() => administrator.end());
  const rename = () => app.request('PATCH', '/me', { token: person.token, json: { name: 'Ada' } });
  const name = administrator.escapeIdentifier(new URL(direct).pathname.slice(1));
  for (const [readOnly, status, code] of [
    ['on', 503, 'unavailable'],
    ['off', 200, undefined],
  ] as const) {
    await administrator.query(`alter database ${name} set default_transaction_read_only = ${readOnly}`);
    await cut();
    assert.equal((await app.get('/me', person)).status, 200);
    const written = await rename();
    assert.deepEqual([written.status, written.body.code], [status, code]);
  }
});

test('a connection that is lost before its first answer takes nobody’s place for long', async t => {
  const proxy = await startProxy(t, await migratedDatabase());
  const database = await openDatabase(proxy.url, { ...quarter, connections: 1 });
  t.after(() => database.close());
  proxy.loseAt('set_config');
  await assert.rejects(database.ping(), DatabaseUnavailable);
  const start = performance.now();
  while (
    !(await database.ping().then(
      () => true,
      () => false,
    ))
  )
    assert.ok(performance.now() - start < 1000);
});

for (const [what, statement] of [
  ['looks at the schema', 'current_schema'],
  ['looks for constraints', 'string_agg'],
] as const) {
  test(`a start whose server goes silent while it ${what} comes to an end`, async t => {
    const proxy = await startProxy(t, await migratedDatabase());
    proxy.loseAt(statement);
    const serverLimits = { statement: 100 };
    await assert.rejects(openDatabase(proxy.url, { serverLimits }), { name: 'DatabaseUnavailable' });
    proxy.cut();
  });
}

test('of a standby nothing is read: a connection to it is not used, and a request is a 503', async t => {
  const { app, cut, direct } = await startBehindProxy(t, patient);
  const person = await app.person();
  const administrator = new pg.Client(direct);
  await administrator.connect();
  t.after(() => administrator.end());
  const name = administrator.escapeIdentifier(new URL(direct).pathname.slice(1));
  // It says of itself what a standby does.
  await administrator.query(`alter database ${name} set search_path = public, pg_catalog`);
  await administrator.query(
    "create function public.current_setting(text, boolean) returns text return case $1 when 'in_hot_standby' then 'on' end",
  );
  await cut();
  const read = await app.get('/me', person);
  assert.deepEqual([read.status, read.body.code], [503, 'unavailable']);
  assert.equal((await app.get('/health/ready')).status, 503);
  await assert.rejects(openDatabase(direct), /it is a standby/);
  await administrator.query('drop function public.current_setting');
  assert.equal((await app.get('/me', person)).status, 200);
});

test('a standby that is told to begin a transaction is known by its answer', () => {
  const message = 'cannot set transaction read-write mode during recovery';
  const says = new DatabaseError(message, 0, 'error');
  const answer = Object.assign(says, { code: '0A000', routine: 'call_bool_check_hook' });
  assert.ok(isDemoted(answer));
  assert.ok(translated(answer, new Map()) instanceof DatabaseUnavailable);
});

test('a mistake in the SQL is no 503', async t => {
  const { database } = await startBehindProxy(t);
  const mistake = database.db.selectNoFrom(sql`1 / 0`.as('x')).execute();
  await assert.rejects(
    mistake,
    error => !(error instanceof DatabaseUnavailable) && /division by zero/.test(String(error)),
  );
});
