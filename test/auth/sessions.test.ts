import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { decodeJwt } from 'jose';
import { sql } from 'kysely';
import { startUpkeep } from '../../src/auth/upkeep.ts';
import type { Database } from '../../src/database.ts';
import { startApp, unlimited } from '../helpers/app.ts';
import type { Answer, Person } from '../helpers/client.ts';
import { onPostgres } from '../helpers/database.ts';
import { logIn, me, type Nodes, refresh, sessionOf, startNodes, type Tokens } from '../helpers/nodes.ts';

/** Ids that are nobody's, one of each form. */
const unknownId = '019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17';
const notIds = [
  'x',
  'current',
  unknownId.toUpperCase(),
  `${unknownId}x`,
  '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  '%27%20or%201=1',
  '..%2f',
];

const windows = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0';

test('a session that is not used ends to the millisecond, and each refresh moves that end', async t => {
  const settings = { REFRESH_TOKEN_TTL: '600', SESSION_TTL: '100000', ACCESS_TOKEN_TTL: '86400' };
  const { a, b, time } = await startNodes(t, { settings });
  const person = await a.register();
  const idle = await logIn(a, person);
  const kept = await logIn(a, person);
  assert.equal(idle.refresh_expires_in, 600);
  time.turn(599.999);
  const { status, body } = await refresh(b, kept.refresh_token);
  assert.deepEqual([status, body.refresh_expires_in], [200, 600]);
  assert.equal(await me(b, idle.access_token), 200);
  time.turn(0.001);
  assert.deepEqual([await me(a, idle.access_token), await me(b, idle.access_token)], [401, 401]);
  assert.deepEqual(tokenFault(await refresh(a, idle.refresh_token)), [401, 'invalid_token']);
  time.turn(599.998);
  assert.equal(await me(a, kept.access_token), 200);
  time.turn(0.001);
  assert.equal(await me(a, kept.access_token), 401);
  assert.equal((await refresh(b, body.refresh_token)).status, 401);
});

test('no refresh extends the absolute end', async t => {
  const settings = { REFRESH_TOKEN_TTL: '600', SESSION_TTL: '1000', ACCESS_TOKEN_TTL: '86400' };
  const { a, b, time } = await startNodes(t, { settings });
  let tokens = await logIn(a, await a.register());
  const told: number[] = [];
  for (const seconds of [300, 300, 300, 99, 0.5, 0.499]) {
    time.turn(seconds);
    const { status, body } = await refresh(b, tokens.refresh_token);
    assert.equal(status, 200);
    told.push(body.refresh_expires_in);
    tokens = body;
  }
  // After 300, 600, 900, 999, 999.5 and 999.999 seconds.
  assert.deepEqual(told, [600, 400, 100, 1, 1, 1]);
  assert.equal(await me(a, tokens.access_token), 200);
  time.turn(0.001);
  assert.deepEqual([await me(a, tokens.access_token), await me(b, tokens.access_token)], [401, 401]);
  assert.equal((await refresh(a, tokens.refresh_token)).status, 401);
});

test('what is over is swept a bounded batch at a time, and nothing else is', async t => {
  const { a, time, database } = await startNodes(t, { settings: unlimited });
  const person = await a.register();
  const live = await logIn(a, person);
  const now = time.clock()();
  await insertExpired(database, person.id, now, 1201);
  const { watched, sizes } = watchTransactions(database);
  const upkeep = startUpkeep({
    database: watched,
    clock: time.clock(),
    onFailure: cause => assert.fail(String(cause)),
  });
  t.after(() => upkeep.stop());
  assert.equal(await upkeep.sweep(), 1201);
  assert.deepEqual(sizes, [500, 500, 201]);
  assert.deepEqual(
    (await database.db.selectFrom('sessions').select('id').execute()).map(({ id }) => id),
    [sessionOf(live)],
  );
  assert.equal(await upkeep.sweep(), 0);

  // One sweep ends too: what is left waits.
  await insertExpired(database, person.id, now, 10_001);
  sizes.length = 0;
  assert.equal(await upkeep.sweep(), 10_000);
  assert.ok(sizes.length === 20 && sizes.every(size => size === 500));
  assert.equal(await upkeep.sweep(), 1);
  assert.equal(await me(a, live.access_token), 200);
});

test('the sweeps come by themselves, one at a time, and go on after a failure', async t => {
  const { a, time, database } = await startNodes(t);
  const person = await a.register();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const failures: unknown[] = [];
  const away = { count: 1 };
  const { watched, sizes } = watchTransactions(database, () => {
    if (away.count-- > 0) throw new Error('away');
  });
  const onFailure = (cause: unknown): void => void failures.push(cause);
  const upkeep = startUpkeep({ database: watched, clock: time.clock(), onFailure });
  await insertExpired(database, person.id, time.clock()(), 3);
  t.mock.timers.tick(60_000);
  while (failures.length === 0) await new Promise(setImmediate);
  await new Promise(setImmediate);
  t.mock.timers.tick(60_000);
  await upkeep.stop();
  assert.deepEqual([failures.length, sizes], [1, [3]]);
  t.mock.timers.tick(600_000);
  assert.deepEqual(sizes, [3]);
  t.mock.timers.reset();
});

test('the timer of the sweeps does not keep a process alive', () => {
  const script = `
    import { startUpkeep } from ${JSON.stringify(new URL('../../src/auth/upkeep.ts', import.meta.url).href)};
    startUpkeep({ database: undefined, clock: () => new Date(), onFailure: () => undefined });
    ${'process.stdout.write("started");'}
  `;
  const { status, stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.deepEqual([status, signal, stdout], [0, null, 'started']);
});

test('one login too many ends the oldest session, and one that is over does not count', async t => {
  const settings = { MAX_SESSIONS: '3', REFRESH_TOKEN_TTL: '600', ACCESS_TOKEN_TTL: '86400' };
  const { a, b, time } = await startNodes(t, { settings });
  const person = await a.register();
  const other = await logIn(a, await a.register());
  const sessions: Tokens[] = [];
  for (const node of [a, b, a, b]) {
    sessions.push(await logIn(node, person));
    time.turn(1);
  }
  const [first, second, third, fourth] = sessions;
  assert.ok(first && second && third && fourth);
  const alive = async (...all: Tokens[]): Promise<number[]> =>
    await Promise.all(all.map(({ access_token }) => me(b, access_token)));
  assert.deepEqual(await alive(first, second, third, fourth, other), [401, 200, 200, 200, 200]);
  assert.equal((await refresh(a, first.refresh_token)).status, 401);

  // The second is used, the two younger ones are not and end: then there is room for two.
  time.turn(500);
  assert.equal((await refresh(a, second.refresh_token)).status, 200);
  time.turn(100);
  const [fifth, sixth] = [await logIn(a, person), await logIn(b, person)];
  assert.deepEqual(await alive(second, third, fourth, fifth, sixth), [200, 401, 401, 200, 200]);
});

test('a login is never the one that ends, even on a node whose clock is behind', async t => {
  const { a, b } = await startNodes(t, { settings: { MAX_SESSIONS: '2' }, skew: -3 });
  const person = await a.register();
  const earlier = [await logIn(a, person), await logIn(a, person)];
  const last = await logIn(b, person);
  assert.equal(await me(b, last.access_token), 200);
  const rest = await Promise.all(earlier.map(({ access_token }) => me(a, access_token)));
  assert.deepEqual(rest.sort(), [200, 401]);
});

test('logins at once never leave more than there may be', async t => {
  const { a, b, database } = await startNodes(t, { settings: { ...unlimited, MAX_SESSIONS: '4' } });
  const person = await a.register();
  await Promise.all(Array.from({ length: 24 }, (_, i) => logIn(i % 2 === 0 ? a : b, person)));
  assert.equal((await database.db.selectFrom('sessions').select('id').execute()).length, 4);
});

test('a login takes no id from the client', async t => {
  const { a } = await startNodes(t);
  const person = await a.register();
  const old = await logIn(a, person);
  const sid = sessionOf(old);
  const names = ['sid', 'session', 'session_id', 'x-session-id', 'plinth_session'];
  const headers = Object.fromEntries(names.map(name => [name, sid]));
  const cookie = names.map(name => `${name}=${sid}`).join('; ');
  const { status, body } = await a.post(
    `/login?${new URLSearchParams(headers)}`,
    { email: person.email, password: person.password },
    { headers: { ...headers, cookie }, token: old.access_token },
  );
  assert.equal(status, 200);
  assert.notEqual(sessionOf(body), sid);
  for (const name of ['sid', 'session_id', 'id']) {
    const json = { email: person.email, password: person.password, [name]: sid };
    assert.equal((await a.post('/login', json)).status, 422);
  }
  assert.deepEqual([await me(a, old.access_token), await me(a, body.access_token)], [200, 200]);
});

test('the list says where a person is logged in, the last used first', async t => {
  const { a, b, time } = await startNodes(t);
  const person = await a.register();
  await logIn(a, await a.register());
  const first = await logIn(a, person, { 'user-agent': windows });
  time.turn(1);
  const second = await logIn(b, person, { 'user-agent': 'curl/8.5.0' });
  time.turn(1);
  const third = await logIn(b, person, { 'user-agent': '' });
  time.turn(3600);
  const { body: renewed } = await refresh(a, first.refresh_token);
  const { status, body, headers } = await b.get('/me/sessions', { token: renewed.access_token });
  assert.equal(status, 200);
  assert.equal(headers.get('cache-control'), 'no-store');
  const ip = '127.0.0.1';
  assert.deepEqual(body, {
    items: [
      {
        id: sessionOf(first),
        created_at: '2026-03-01T12:00:00.000Z',
        last_used_at: '2026-03-01T13:00:02.000Z',
        expires_at: '2026-03-31T12:00:00.000Z',
        user_agent: 'Firefox on Windows',
        ip,
        current: true,
      },
      {
        id: sessionOf(third),
        created_at: '2026-03-01T12:00:02.000Z',
        last_used_at: '2026-03-01T12:00:02.000Z',
        expires_at: '2026-03-31T12:00:02.000Z',
        user_agent: null,
        ip,
        current: false,
      },
      {
        id: sessionOf(second),
        created_at: '2026-03-01T12:00:01.000Z',
        last_used_at: '2026-03-01T12:00:01.000Z',
        expires_at: '2026-03-31T12:00:01.000Z',
        user_agent: 'curl',
        ip,
        current: false,
      },
    ],
  });
});

test('a session that is over is not in the list and cannot be ended', async t => {
  const { a, time } = await startNodes(t, { settings: { REFRESH_TOKEN_TTL: '600' } });
  const person = await a.register();
  const over = await logIn(a, person);
  time.turn(600);
  const own = await logIn(a, person);
  const { items } = (await a.get('/me/sessions', bearer(own))).body;
  assert.deepEqual(
    items.map(({ id }: { id: string }) => id),
    [sessionOf(own)],
  );
  assert.equal((await a.request('DELETE', `/me/sessions/${sessionOf(over)}`, bearer(own))).status, 404);
});

test('a user agent is shown as something that a person reads, whatever it was', async t => {
  const { a } = await startNodes(t);
  const person = await a.register();
  const agents: readonly (readonly [sent: string, shown: RegExp])[] = [
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
      /^Safari on iOS$/,
    ],
    ['python-requests/2.32.3', /^python-requests$/],
    ['<script>alert(1)</script>', /^.{1,60}$/],
    ['x'.repeat(5000), /^.{1,60}$/],
    ['() { :; }; echo', /^.{1,60}$/],
    ['constructor', /^constructor$/],
    ['\u00e9\u00ff', /^.{1,60}$/],
  ];
  for (const [sent, shown] of agents) {
    const { access_token } = await logIn(a, person, { 'user-agent': sent });
    const { status, body } = await a.get('/me/sessions', { token: access_token });
    assert.equal(status, 200, sent.slice(0, 50));
    const [mine] = body.items.filter((item: { current: boolean }) => item.current);
    assert.match(mine.user_agent, shown);
  }
});

test('last used is written, at most once a minute whatever comes at once on both nodes', async t => {
  const { a, b, time, database } = await startNodes(t);
  const tokens = await logIn(a, await a.register());
  const use = (count: number): Promise<number[]> =>
    Promise.all(Array.from({ length: count }, (_, i) => me(i % 2 === 0 ? a : b, tokens.access_token)));
  const written = await watchUses(database);
  await use(5);
  time.turn(59.999);
  await use(5);
  time.turn(0.001);
  await use(30);
  time.turn(30);
  await use(2);
  time.turn(30);
  await use(30);
  await Promise.all([a.stop(), b.stop()]);
  assert.deepEqual(await written(), ['2026-03-01T12:01:00.000Z', '2026-03-01T12:02:00.000Z']);
});

test('a use within the minute costs no transaction, and of two nodes that saw the same old one, one writes', async t => {
  const { a, time, database } = await startNodes(t);
  const id = sessionOf(await logIn(a, await a.register()));
  let begun = 0;
  const { watched } = watchTransactions(database, () => begun++);
  const written = await watchUses(database);
  const seen = { id, last_used_at: time.clock()() };
  const used = async (): Promise<void> => {
    const onFailure = (cause: unknown): void => assert.fail(String(cause));
    const upkeep = startUpkeep({ database: watched, clock: time.clock(), onFailure });
    upkeep.noteUse(seen);
    await upkeep.stop();
  };
  time.turn(59.999);
  await used();
  assert.equal(begun, 0);
  time.turn(0.001);
  await used();
  time.turn(0.5);
  await used();
  assert.equal(begun, 2);
  assert.deepEqual(await written(), ['2026-03-01T12:01:00.000Z']);
});

interface Ending {
  readonly nodes: Nodes;
  readonly person: Person;
  readonly victim: Tokens;
  /** Another session of the same person. */
  readonly own: Tokens;
}

/** Every way in which a session ends before its time. */
const endings: readonly (readonly [name: string, end: (ending: Ending) => Promise<Answer>, own: number])[] = [
  ['logout', ({ nodes, victim }) => nodes.a.post('/logout', undefined, bearer(victim)), 200],
  [
    'ending it from itself',
    ({ nodes, victim }) => nodes.a.request('DELETE', `/me/sessions/${sessionOf(victim)}`, bearer(victim)),
    200,
  ],
  [
    'ending it from another',
    ({ nodes, victim, own }) => nodes.a.request('DELETE', `/me/sessions/${sessionOf(victim)}`, bearer(own)),
    200,
  ],
  ['ending all others', ({ nodes, own }) => nodes.a.request('DELETE', '/me/sessions', bearer(own)), 200],
  [
    'a new password',
    ({ nodes, own, person }) =>
      nodes.a.request('PUT', '/me/password', {
        ...bearer(own),
        json: { current_password: person.password, new_password: 'another good passphrase' },
      }),
    200,
  ],
  [
    'deletion of the person',
    ({ nodes, own, person }) => nodes.a.post('/me/deletion', { password: person.password }, bearer(own)),
    401,
  ],
];

for (const [name, end, own] of endings) {
  test(`${name} counts on the very next request, on either node`, async t => {
    const nodes = await startNodes(t);
    const { a, b } = nodes;
    const person = await a.register();
    const ending = { nodes, person, victim: await logIn(a, person), own: await logIn(b, person) };
    const stranger = await logIn(a, await a.register());
    // Both nodes know the token by now.
    assert.deepEqual(await both(nodes, ending.victim), [200, 200]);
    const { body: renewed } = await refresh(b, ending.victim.refresh_token);
    const { status, text } = await end(ending);
    assert.deepEqual([status, text], [204, '']);
    assert.equal(await me(b, ending.victim.access_token), 401);
    assert.equal(await me(a, ending.victim.access_token), 401);
    for (const { access_token, refresh_token } of [ending.victim, renewed]) {
      for (const node of [b, a]) {
        assert.deepEqual(tokenFault(await refresh(node, refresh_token)), [401, 'invalid_token']);
        assert.deepEqual(tokenFault(await node.get('/me/sessions', { token: access_token })), [
          401,
          'invalid_token',
        ]);
      }
    }
    assert.deepEqual(await both(nodes, ending.own), [own, own]);
    assert.equal((await refresh(b, ending.own.refresh_token)).status, own);
    assert.deepEqual(await both(nodes, stranger), [200, 200]);
    assert.equal((await refresh(b, stranger.refresh_token)).status, 200);
    // Whoever ended it by themselves is no thief.
    assert.deepEqual(
      [...a.logged, ...b.logged].filter(line => line['event'] === 'refresh_token_reuse'),
      [],
    );
  });
}

test('logging out again is no error, and no other token logs anybody out', async t => {
  const { a, b, time } = await startNodes(t);
  const person = await a.register();
  const [one, two, three] = [await logIn(a, person), await logIn(a, person), await logIn(b, person)];
  const logout = (tokens: Tokens): Promise<Answer> => b.post('/logout', undefined, bearer(tokens));
  assert.deepEqual([(await logout(one)).status, (await logout(one)).status], [204, 204]);
  assert.equal((await a.request('DELETE', '/me/sessions', bearer(two))).status, 204);
  assert.equal((await logout(three)).status, 204);

  for (const token of ['garbage', one.refresh_token, `${two.access_token.slice(0, -4)}AAAA`]) {
    assert.deepEqual(tokenFault(await b.post('/logout', undefined, { token })), [401, 'invalid_token']);
  }
  const bare = await b.post('/logout', undefined);
  assert.deepEqual([bare.status, bare.body.code], [401, 'unauthenticated']);
  assert.equal(bare.headers.get('www-authenticate'), 'Bearer realm="plinth"');
  assert.equal(await me(a, two.access_token), 200);

  time.turn(904);
  assert.equal(await me(a, two.access_token), 200);
  time.turn(1);
  const late = await logout(two);
  assert.deepEqual(tokenFault(late), [401, 'invalid_token']);
  assert.match(late.headers.get('www-authenticate') ?? '', /error="invalid_token"$/);
  assert.equal((await refresh(a, two.refresh_token)).status, 200);
});

test('the session of another person is not there, like one that never was', async t => {
  const { a, b } = await startNodes(t);
  const [ada, eve] = [await logIn(a, await a.register()), await logIn(a, await a.register())];
  const end = (id: string): Promise<Answer> =>
    b.request('DELETE', `/me/sessions/${id}`, { ...bearer(eve), headers: { 'x-request-id': 'the-same' } });
  const shape = ({ status, text, headers }: Answer): string =>
    `${status} ${text} ${JSON.stringify([...headers].filter(([name]) => name !== 'date'))}`;
  const expected = shape(await end(unknownId));
  assert.match(expected, /^404 .*"not_found"/);
  for (const id of [sessionOf(ada), ...notIds]) assert.equal(shape(await end(id)), expected, id);
  assert.deepEqual([await me(a, ada.access_token), await me(a, eve.access_token)], [200, 200]);

  const own = await end(sessionOf(eve));
  assert.equal(own.status, 204);
  assert.equal(await me(a, eve.access_token), 401);
});

function bearer({ access_token }: Tokens): { readonly token: string } {
  return { token: access_token };
}

async function both({ a, b }: Nodes, { access_token }: Tokens): Promise<number[]> {
  return [await me(b, access_token), await me(a, access_token)];
}

function tokenFault({ status, body }: Answer): unknown[] {
  return [status, body?.code];
}

/** Every time of use that is written from now on. */
async function watchUses(database: Database): Promise<() => Promise<string[]>> {
  await database.transaction(async tx => {
    for (const statement of onPostgres ? triggerOnPostgres : trigger) await sql.raw(statement).execute(tx);
  });
  return async () => {
    const { rows } = await database.transaction(tx =>
      sql<{ used_at: Date }>`select used_at from uses`.execute(tx),
    );
    return rows.map(({ used_at }) => used_at.toISOString());
  };
}

const trigger = [
  'create table uses (used_at integer)',
  `create trigger watch after update of last_used_at on sessions
     begin insert into uses values (new.last_used_at); end`,
];
const triggerOnPostgres = [
  'create table uses (used_at timestamptz)',
  `create function watch() returns trigger language plpgsql
     as 'begin insert into uses values (new.last_used_at); return null; end'`,
  `create trigger watch after update of last_used_at on sessions for each row execute function watch()`,
];

/** Rows that were over a second before. */
async function insertExpired(database: Database, userId: string, now: Date, count: number): Promise<void> {
  const past = new Date(now.getTime() - 1000);
  const times = { created_at: past, last_used_at: past, expires_at: past, refresh_expires_at: past };
  const rows = Array.from({ length: count }, () => {
    const id = randomUUID();
    return { id, user_id: userId, ...times, refresh_family_hash: id, refresh_hash: 'x' };
  });
  await database.transaction(async tx => {
    for (let from = 0; from < count; from += 1000)
      await tx
        .insertInto('sessions')
        .values(rows.slice(from, from + 1000))
        .execute();
  });
}

/** A database that tells how many sessions each transaction deleted. */
function watchTransactions(
  database: Database,
  before: () => void = () => undefined,
): { readonly watched: Database; readonly sizes: number[] } {
  const sizes: number[] = [];
  const transaction: Database['transaction'] = async work =>
    await database.transaction(async tx => {
      before();
      const count = async (): Promise<number> =>
        Number((await tx.selectFrom('sessions').select(tx.fn.countAll().as('n')).executeTakeFirst())?.n);
      const from = await count();
      const result = await work(tx);
      if (from > (await count())) sizes.push(from - (await count()));
      return result;
    });
  const watched: Database = {
    db: database.db,
    ping: () => database.ping(),
    close: () => database.close(),
    transaction,
    statement: transaction,
    exclusive: transaction,
  };
  return { watched, sizes };
}

test('an access token does not outlive its session, for those who look at nothing but the token', async t => {
  const app = await startApp(t, { settings: { SESSION_TTL: '600', ACCESS_TOKEN_TTL: '900' } });
  const { email, password } = await app.register();
  const { body } = await app.post('/login', { email, password });
  assert.ok(body.expires_in <= 600 && body.expires_in > 590);
  app.turnClock(500);
  const refreshed = (await app.post('/refresh', { refresh_token: body.refresh_token })).body;
  assert.ok(refreshed.expires_in <= 100 && refreshed.expires_in > 90);
  const [first, second] = [body, refreshed].map(pair => decodeJwt(pair.access_token));
  assert.equal(second?.exp, first?.exp);
});
