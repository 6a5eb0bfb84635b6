import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Overloaded } from '../src/bcrypt/engine.ts';
import { type Database, DatabaseUnavailable } from '../src/database.ts';
import { type EventName, events, recordIn } from '../src/events.ts';
import { createLog } from '../src/log.ts';
import { onServer } from './database/postgres/on-server.ts';
import { type Overrides, startApp, type TestApp } from './helpers/app.ts';
import type { Person } from './helpers/client.ts';
import { contentOf, onPostgres, serviceFolder } from './helpers/database.ts';
import { temporaryFolder } from './helpers/folder.ts';
import { read, root, tableOf } from './helpers/pages.ts';
import { ServiceProcess } from './helpers/process.ts';
import { sendRaw } from './helpers/wire.ts';

type Line = Readonly<Record<string, unknown>>;
type LoggedIn = Person & { readonly token: string };

/** What brings an event about, by somebody who has just logged in. */
type Cause = (app: Instance, person: LoggedIn) => Promise<unknown>;

/** A service that can be broken while it runs. */
interface Instance extends TestApp {
  readonly broken: { database: boolean; engine?: Error; memory?: number };
  readonly turnMonotonic: (seconds: number) => void;
}

/** Those that a request brings about, or the world around a service; the others are those of a process, below. */
const cases = {
  account_created: app => app.register(),
  account_changed: (app, { token }) => app.request('PATCH', '/me', { token, json: { name: 'Ada' } }),
  account_deleted: (app, { token, password }) => app.post('/me/deletion', { password }, { token }),
  password_changed: (app, { token, password }) =>
    app.request('PUT', '/me/password', {
      token,
      json: { current_password: password, new_password: `${password} again` },
    }),
  session_started: (app, person) => app.login(person),
  login_failed: (app, { email }) => app.post('/login', { email, password: 'wrong' }),
  login_throttled: (app, { email }) => repeat(11, () => app.post('/login', { email, password: 'wrong' })),
  async login_unfinished(app, { email, password }) {
    app.broken.engine = new Error('the cause of it');
    await app.post('/login', { email, password });
  },
  password_check_failed: (app, { token }) => app.post('/me/deletion', { password: 'wrong' }, { token }),
  password_check_throttled: (app, { token }) =>
    repeat(11, () => app.post('/me/deletion', { password: 'wrong' }, { token })),
  async password_check_unfinished(app, { token, password }) {
    app.broken.engine = new Error('the cause of it');
    await app.post('/me/deletion', { password }, { token });
  },
  new_password_throttled: app =>
    repeat(100, i => app.post('/users', { email: `p${i}@example.com`, password: 'a very good passphrase' })),
  session_renewed: async (app, person) =>
    await app.post('/refresh', { refresh_token: await refreshToken(app, person) }),
  session_ended: (app, { token }) => app.post('/logout', undefined, { token }),
  other_sessions_ended: (app, { token }) => app.request('DELETE', '/me/sessions', { token }),
  async refresh_token_reuse(app, person) {
    const refresh_token = await refreshToken(app, person);
    const { body } = await app.post('/refresh', { refresh_token });
    await app.post('/refresh', { refresh_token: body.refresh_token });
    assert.equal((await app.post('/refresh', { refresh_token })).status, 401);
  },
  request_not_http: app => sendRaw(app, 'GET me my account\r\n\r\n'),
  async connections_dropped(app) {
    const { hostname, port } = new URL(app.url);
    const sockets = Array.from({ length: 15 }, () =>
      connect(Number(port), hostname).on('error', () => undefined),
    );
    while (!app.logged.some(({ event }) => event === 'connections_dropped')) await new Promise(setImmediate);
    for (const socket of sockets) socket.destroy();
  },
  async shedding_started(app) {
    app.broken.memory = 1;
    app.turnMonotonic(1);
    assert.equal((await app.get('/docs')).status, 503);
  },
  async shedding_ended(app) {
    for (const [memory, status] of [
      [1, 503],
      [0, 200],
    ] as const) {
      app.broken.memory = memory;
      app.turnMonotonic(1);
      assert.equal((await app.get('/docs')).status, status);
    }
  },
  async request_failed(app, { email, password }) {
    app.broken.engine = new Error('the cause of it');
    assert.equal((await app.post('/login', { email, password })).status, 500);
  },
  async request_not_served(app, { email, password }) {
    app.broken.engine = new Overloaded(1);
    assert.equal((await app.post('/login', { email, password })).status, 503);
    // There may be many, so there is no more in it than this.
    assert.deepEqual(app.logged.find(({ event }) => event === 'request_not_served')?.['err'], {
      type: 'Overloaded',
      name: 'Overloaded',
      message: 'the hashing queue is full',
      stack: '',
      retryAfter: 1,
    });
  },
  async password_hash_unusable(app, { id, email, password }) {
    await app.world.database.transaction(tx =>
      tx.updateTable('users').set({ password_hash: '$2x$nothing' }).where('id', '=', id).execute(),
    );
    assert.equal((await app.post('/login', { email, password })).status, 401);
  },
  async signing_keys_changed(app) {
    await app.world.database.transaction(tx =>
      tx
        .updateTable('signing_keys')
        .set({ retired_at: new Date(Date.now() + 3_600_000) })
        .execute(),
    );
    app.turnMonotonic(31);
    await app.get('/.well-known/jwks.json');
  },
  async signing_keys_unreadable(app) {
    await app.world.database.transaction(tx =>
      tx.updateTable('signing_keys').set({ private_encrypted: 'v1.damaged' }).execute(),
    );
    app.turnMonotonic(31);
    assert.equal((await app.get('/.well-known/jwks.json')).status, 200);
  },
  async upkeep_failed(app, { token }) {
    app.turnClock(120);
    app.broken.database = true;
    assert.equal((await app.get('/me', { token })).status, 200);
    await app.stop();
  },
} satisfies Partial<Record<EventName, Cause>>;

async function repeat(count: number, act: (number: number) => Promise<unknown>): Promise<void> {
  for (let number = 0; number < count; number++) await act(number);
}

/** And of its output, in log-output.test.ts. */
const ofProcess = [
  'log_lines_lost',
  'hashing_degraded',
  'database_created',
  'files_exposed',
  'service_started',
  'service_stopping',
  'service_stopped',
  'service_crashed',
  'disk_failed',
  'database_not_durable',
  // Below.
  'more_events',
  // test/database/postgres/workers.test.ts
  'worker_ended',
];

const someSecret = 'k3JtR0xWbDdqUnA5c1ZtWk1xT2lYdzZ5SGZnTjFhYkU';

/** What callers can bring about at will. */
const floods: readonly EventName[] = [
  'login_throttled',
  'password_check_throttled',
  'new_password_throttled',
  'request_not_http',
  'request_not_served',
];

for (const [name, by] of Object.entries<Cause>(cases)) {
  test(`the log tells of ${name} once, with who and from where as far as there is any`, async t => {
    const app = await startInstance(t);
    const person = await app.person();
    const before = app.logged.length;
    await by(app, person);
    const lines = app.logged.slice(before).filter(({ event }) => event === name);
    assert.equal(lines.length, 1);
    const [line = {}] = lines;
    expectLine(line, name);
    if ('ip' in line) assert.equal(line['ip'], '127.0.0.1');
    if ('user_id' in line && name !== 'account_created') assert.equal(line['user_id'], person.id);
    if ('session_id' in line) assert.match(String(line['session_id']), /^[0-9a-f-]{36}$/);
    const text = JSON.stringify(app.logged);
    for (const secret of [person.email, person.password, person.token]) assert.ok(!text.includes(secret));
  });
}

test('every event is in a test', async () => {
  assert.deepEqual([...Object.keys(cases), ...ofProcess].sort(), Object.keys(events).sort());
});

test('of what callers can bring about at will 20 lines a second are written, and one that counts the rest', t => {
  const lines: Line[] = [];
  const log = createLog('info', {
    stream: { write: line => void lines.push(JSON.parse(line)) },
    flush: () => undefined,
  });
  const before = process.getActiveResourcesInfo();
  recordIn(log)('request_not_http');
  assert.deepEqual(process.getActiveResourcesInfo(), before, 'its timer keeps no process alive');
  lines.length = 0;

  t.mock.timers.enable({ apis: ['setTimeout'] });
  const record = recordIn(log);
  const flood = (event: EventName, count: number): void => {
    for (let n = 0; n < count; n++) record(event);
  };
  const told = (): string[] =>
    lines.splice(0).map(({ event, of, count }) => (of ? `${of}+${count}` : `${event}`));
  const lineOf = (event: EventName): string[] => Array.from({ length: 20 }, () => event);

  for (const [index, event] of floods.entries()) flood(event, 21 + index);
  assert.deepEqual(told(), floods.flatMap(lineOf), 'each has a bound of its own');
  t.mock.timers.tick(999);
  assert.deepEqual(told(), []);
  t.mock.timers.tick(1);
  assert.deepEqual(
    told(),
    floods.map((event, index) => `${event}+${index + 1}`),
  );

  for (const event of floods) flood(event, 20);
  t.mock.timers.tick(1000);
  assert.deepEqual(told(), floods.flatMap(lineOf), 'nothing is left of the second before, or to be counted');

  flood('login_throttled', 19);
  t.mock.timers.tick(500);
  flood('login_throttled', 2);
  t.mock.timers.tick(500);
  assert.deepEqual(told(), [...lineOf('login_throttled'), 'login_throttled+1']);
  flood('login_throttled', 21);
  t.mock.timers.tick(999);
  assert.deepEqual(told(), lineOf('login_throttled'), 'a second begins with its first event, not with each');
  t.mock.timers.tick(1);
  assert.deepEqual(told(), ['login_throttled+1']);

  flood('request_not_http', 22);
  record.tellMore();
  assert.deepEqual(told(), [...lineOf('request_not_http'), 'request_not_http+2']);
  t.mock.timers.tick(1000);
  assert.deepEqual(told(), []);

  const others = Object.keys(events).filter(name => !floods.some(event => event === name)) as EventName[];
  for (const event of others) flood(event, 25);
  assert.equal(lines.length, others.length * 25);
});

test('what a flood of logins has in no line of its own is counted, at the end too', async t => {
  const settings = { LOGIN_LIMIT_ACCOUNT: '1' };
  const app = await startApp(t, { settings });
  const login = () => app.post('/login', { email: 'nobody@example.com', password: 'wrong' });
  assert.equal((await login()).status, 401);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const end of [() => t.mock.timers.tick(1000), () => app.stop()]) {
    const before = app.logged.length;
    for (let n = 0; n < 23; n++) assert.equal((await login()).status, 429);
    const lines = () => app.logged.slice(before).filter(({ event }) => event);
    assert.deepEqual(
      lines().map(({ event }) => event),
      Array.from({ length: 20 }, () => 'login_throttled'),
    );
    await end();
    const [more = {}, ...others] = lines().slice(20);
    assert.deepEqual([more['of'], more['count'], others], ['login_throttled', 3, []]);
    expectLine(more, 'more_events');
  }
});

test('nothing is logged past the table of events, but the lines of requests', () => {
  const sources = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' }).filter(file =>
    file.endsWith('.ts'),
  );
  const direct = sources.filter(file =>
    /\blog\.(fatal|error|warn|info|debug|trace)\(/.test(read(`src/${file}`)),
  );
  assert.ok(sources.length > 50);
  assert.deepEqual(direct, []);
});

test('who ended which session is told for each of the ways', async t => {
  const app = await startInstance(t);
  const person = await app.person();
  const other = await app.login(person);
  const items: { id: string; current: boolean }[] = (await app.get('/me/sessions', { token: other })).body
    .items;
  const [mine, theirs] = [items.find(item => item.current)?.id, items.find(item => !item.current)?.id];
  await app.request('DELETE', `/me/sessions/${theirs}`, { token: other });
  await app.request('DELETE', `/me/sessions/${theirs}`, { token: other });
  await app.post('/logout', undefined, { token: other });
  await app.post('/logout', undefined, { token: other });
  const told = app.logged
    .filter(({ event }) => event === 'session_ended')
    .map(({ session_id, ended }) => [session_id, ended]);
  assert.deepEqual(told, [
    [mine, theirs],
    [mine, mine],
  ]);
});

test('a process tells of its start, its settings without secrets, its end', async t => {
  const secret = someSecret;
  const folder = await serviceFolder(t);
  if (onPostgres) {
    const { url } = contentOf(folder);
    await onServer(url, `alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = off`);
  }
  const service = new ServiceProcess(t, folder, { SECRET: secret, SECRET_PREVIOUS: secret });
  await service.client();
  const { stdout } = await service.stop();
  const lines = linesOf(stdout);
  for (const line of lines) assert.ok('event' in line || 'route' in line, JSON.stringify(line));
  const [start = {}] = lines.filter(({ event }) => event === 'service_started');
  expectLine(start, 'service_started');
  assert.equal(start['node'], process.version);
  const settings = JSON.stringify(start['settings']);
  assert.match(settings, /"bcryptCost":10/);
  assert.match(settings, onPostgres ? /"database":"postgres/ : /"database":"sqlite"/);
  assert.ok(!/secret/i.test(settings) && !stdout.includes(secret));
  assert.doesNotMatch(stdout, new RegExp(Buffer.from(secret, 'base64url').subarray(0, 6).join(',')));
  const warnings = lines.filter(({ event }) => event === 'database_not_durable');
  assert.equal(warnings.length, onPostgres ? 1 : 0);
  for (const warning of warnings) {
    expectLine(warning, 'database_not_durable');
    assert.ok(Array.isArray(warning['off']) && warning['off'].includes('synchronous_commit'));
  }
  const [stopping = {}, stopped = {}] = lines.slice(-2);
  expectLine(stopping, 'service_stopping');
  expectLine(stopped, 'service_stopped');
});

test('a process tells of a weaker hashing engine, a disk that fails, and the error that ends it', {
  skip: onPostgres,
}, async t => {
  const folder = temporaryFolder(t);
  const failing = join(folder, 'failing');
  const secret = join(folder, 'data/secret');
  mkdirSync(join(folder, 'data'));
  writeFileSync(secret, `${someSecret}\n`, { mode: 0o644 });
  const service = new ServiceProcess(t, folder, { NODE_OPTIONS: `--import=${breaking(failing)}` });
  const client = await service.client();
  await client.register();
  writeFileSync(failing, '');
  const { status } = await client.post('/users', {
    email: 'late@example.com',
    password: 'a very good passphrase',
  });
  assert.equal(status, 503);
  service.child.kill('SIGUSR2');
  const { code, stdout, stderr } = await service.ended();
  assert.equal(code, 1);
  assert.match(stderr, /nobody caught this/);
  const [disk = {}, crash = {}, ...others] = linesOf(stdout).filter(({ level }) => level === 60);
  assert.deepEqual(others, []);
  const warned = (name: string) => linesOf(stdout).find(({ event }) => event === name) ?? {};
  for (const name of ['hashing_degraded', 'database_created', 'files_exposed'])
    expectLine(warned(name), name);
  // The database is made for its owner alone.
  assert.deepEqual(warned('files_exposed')['files'], [secret]);
  expectLine(disk, 'disk_failed');
  expectLine(crash, 'service_crashed');
  assert.match(JSON.stringify(crash['err']), /nobody caught this/);
});

const documented = tableOf(read('docs/logging.md'), 'event');
const levels = { info: 30, warn: 40, error: 50, fatal: 60 };

/** As `docs/logging.md` says. */
function expectLine(line: Line, name: string): void {
  const [, , , besides = ''] = documented.find(([event]) => event === name) ?? [];
  const fields = besides === '' ? [] : besides.split(', ');
  const [, [level, message] = []] = Object.entries(events).find(([key]) => key === name) ?? [];
  assert.ok(level && message);
  assert.deepEqual([line['event'], line['level'], line['msg']], [name, levels[level], message]);
  assert.deepEqual(Object.keys(line).sort(), [...fields, 'event', 'level', 'msg', 'time'].sort());
  assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
}

async function startInstance(t: TestContext): Promise<Instance> {
  const { world } = await startApp(t);
  const broken: Instance['broken'] = { database: false };
  let ahead = 0;
  const write: Database['statement'] = async work => {
    if (broken.database) throw new DatabaseUnavailable('away');
    return await world.database.statement(work);
  };
  const database: Database = {
    db: world.database.db,
    transaction: work => world.database.transaction(work),
    statement: write,
    exclusive: work => world.database.exclusive(work),
    ping: () => world.database.ping(),
    close: async () => undefined,
  };
  const engine: Overrides['engine'] = {
    description: '',
    digest: async work => {
      if (broken.engine) throw broken.engine;
      return await world.engine.digest(work);
    },
    close: async () => undefined,
  };
  const limits = { connections: 10, checkEvery: 20 };
  const app = await startApp(t, {
    database,
    engine,
    limits,
    monotonic: () => performance.now() + ahead,
    gauge: { read: () => ({ delay: 0, memory: broken.memory ?? 0 }), stop: () => undefined },
  });
  const turnMonotonic = (seconds: number): void => {
    ahead += seconds * 1000;
  };
  return Object.assign(app, { broken, turnMonotonic });
}

async function refreshToken(app: TestApp, { email, password }: Person): Promise<string> {
  return (await app.post('/login', { email, password })).body.refresh_token;
}

/**
 * A module that makes syncs fail once a file is there, and throws where nobody catches at SIGUSR2. Without WebAssembly
 * there is another hashing engine.
 */
function breaking(file: string): string {
  const source = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { fdatasync } = fs;
    const failure = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    fs.fdatasync = (fd, done) => (fs.existsSync(${JSON.stringify(file)}) ? done(failure) : fdatasync(fd, done));
    syncBuiltinESMExports();
    delete globalThis.WebAssembly;
    process.on('SIGUSR2', () => { throw new Error('nobody caught this'); });`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

function linesOf(stdout: string): Line[] {
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
}
