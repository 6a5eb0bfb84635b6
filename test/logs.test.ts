import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp, type TestApp } from './helpers/app.ts';
import { contentOf, serviceFolder, stored } from './helpers/database.ts';
import { gatedEngine } from './helpers/gated-engine.ts';
import { ServiceProcess } from './helpers/process.ts';
import { sendRaw } from './helpers/wire.ts';

const password = 'canary of a passphrase';

test('one line for each request: id, address, method, route, status, duration, and who it was', async t => {
  const app = await startApp(t);
  const person = await app.person();
  const headers = { 'x-request-id': 'of-mine' };
  await app.get('/me?secret=query', { token: person.token, headers });
  await app.get('/nothing/here', { headers: { 'x-request-id': 'of-nothing' } });
  const [me, ...others] = app.logged.filter(line => line['request_id'] === 'of-mine');
  assert.deepEqual(others, []);
  assert.deepEqual(Object.keys(me ?? {}).sort(), [
    'duration_ms',
    'ip',
    'level',
    'method',
    'request_id',
    'route',
    'session_id',
    'status',
    'time',
    'user_id',
  ]);
  assert.deepEqual(
    [me?.['ip'], me?.['method'], me?.['route'], me?.['status'], me?.['user_id']],
    ['127.0.0.1', 'GET', '/me', 200, person.id],
  );
  assert.ok(Number(me?.['duration_ms']) > 0);
  const [nothing] = app.logged.filter(line => line['request_id'] === 'of-nothing');
  assert.deepEqual([nothing?.['route'], nothing?.['status']], [null, 404]);
});

/** What is refused, and why as the log has it. */
const refusals: readonly (readonly [
  name: string,
  refused: (app: TestApp, person: { token: string }) => Promise<unknown>,
  code: string,
  route?: string | null,
])[] = [
  ['no token', app => app.get('/me'), 'unauthenticated', '/me'],
  ['a token that is none', app => app.get('/me', { token: 'x' }), 'invalid_token', '/me'],
  [
    'the session of another person',
    (app, { token }) => app.request('DELETE', '/me/sessions/01a2028d-7269-7502-84f8-fc6f3c14a6e7', { token }),
    'not_found',
    '/me/sessions/:id',
  ],
  [
    'a wrong password',
    app => app.post('/login', { email: 'a@example.com', password: 'x' }),
    'invalid_credentials',
    '/login',
  ],
  [
    'a refresh token that is none',
    app => app.post('/refresh', { refresh_token: 'x'.repeat(86) }),
    'invalid_token',
    '/refresh',
  ],
  [
    'a body that is not as it has to be',
    app => app.post('/users', { role: 'admin' }),
    'validation_failed',
    '/users',
  ],
  [
    'no JSON',
    app => app.request('POST', '/users', { body: '{', headers: { 'content-type': 'application/json' } }),
    'malformed_request',
    '/users',
  ],
  [
    'another media type',
    app => app.request('POST', '/users', { body: 'x', headers: { 'content-type': 'text/plain' } }),
    'unsupported_media_type',
    '/users',
  ],
  [
    'a body too large',
    app => app.post('/users', { email: 'x'.repeat(20_000) }),
    'payload_too_large',
    '/users',
  ],
  ['another method', app => app.request('DELETE', '/users'), 'method_not_allowed', null],
  ['no such path', app => app.get('/admin'), 'not_found', null],
  ['a path that cannot be decoded', app => app.get('/%zz'), 'malformed_request', null],
];

test('what is refused is a line with the reason, by the code of the answer', async t => {
  const app = await startApp(t);
  const person = await app.person();
  for (const [name, refused, code, route = null] of refusals) {
    await t.test(name, async () => {
      const before = app.logged.length;
      await refused(app, person);
      for (let turns = 0; turns < 1000 && app.logged.slice(before).every(line => 'event' in line); turns++)
        await new Promise(setImmediate);
      const ofRequest = app.logged.slice(before).filter(line => !('event' in line));
      const lines = ofRequest.map(line => [line['code'], line['route'], line['ip']]);
      assert.deepEqual(lines, [[code, route, '127.0.0.1']]);
    });
  }
});

test('a token whose session is over says whose it was', async t => {
  const app = await startApp(t);
  const { id, token } = await app.person();
  await app.post('/logout', undefined, { token });
  await app.get('/me', { token });
  const { code, user_id, session_id } = app.logged.at(-1) ?? {};
  assert.deepEqual([code, user_id], ['invalid_token', id]);
  assert.match(String(session_id), /^[0-9a-f-]{36}$/);
});

test('who hangs up before the answer leaves a line without a status', async t => {
  const engine = await gatedEngine(t);
  const app = await startApp(t, { engine });
  const held = engine.hold(1);
  const controller = new AbortController();
  const registration = fetch(`${app.url}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'ada@example.com', password }),
    signal: controller.signal,
  });
  await held;
  controller.abort();
  await assert.rejects(registration);
  const lines = () => app.logged.filter(({ route }) => route === '/users');
  for (let turns = 0; turns < 1000 && lines().length === 0; turns++) await new Promise(setImmediate);
  engine.release();
  assert.deepEqual(
    lines().map(({ status, ip }) => [status, ip]),
    [[null, '127.0.0.1']],
  );
});

test('no password, token, secret or address is in the log, the database or an error', async t => {
  const folder = await serviceFolder(t);
  const service = new ServiceProcess(t, folder, { LOG_LEVEL: 'trace' });
  const client = await service.client();
  const answers: string[] = [];
  client.onAnswer = (_method, _path, { text, status }) => {
    if (status >= 400) answers.push(text);
  };
  const email = 'canary.address@example.com';
  await client.register(email, password);
  const tokens = (await client.post('/login', { email, password })).body;
  const token: string = tokens.access_token;
  await client.post('/users', { email, password });
  await client.post('/users', { email, password, [password]: 1 });
  await client.post('/login', { email, password: `${password}?` });
  await client.post('/login', { email: `${email}x`, password });
  await client.post('/login', { email, password, extra: password });
  await client.get(`/me?access_token=${token}&password=${encodeURIComponent(password)}`);
  await client.get(`/${token}`);
  await client.get('/me', { token: `${token}x` });
  await client.get('/me', { token: tokens.refresh_token });
  await client.get('/me', { headers: { authorization: `Basic ${btoa(`${email}:${password}`)}` } });
  await client.request('PATCH', '/me', {
    token,
    body: `{"name":"${password}`,
    headers: { 'content-type': 'application/json' },
  });
  await client.post('/me/deletion', { password: `${password}!` }, { token });
  await sendRaw(
    client,
    `GET /${password} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nbad header\r\n\r\n`,
  );
  await service.stop();
  const { stdout, stderr } = service;

  const secrets = [
    password,
    password.replaceAll(' ', '+'),
    encodeURIComponent(password),
    token,
    token.split('.')[2] ?? '',
    tokens.refresh_token,
  ];
  const { url, secret } = contentOf(folder);
  const private_ = [...secrets, secret, email];
  for (const text of private_) {
    assert.ok(!stdout.includes(text) && !stderr.includes(text), `in the log: ${text}`);
  }
  // The unknown field's name is the caller's own and goes back to the caller alone.
  const errors = answers.filter(answer => !answer.includes('unknown_field')).join('\n');
  for (const text of private_) assert.ok(!errors.includes(text), `in an error: ${text}`);
  const content = await stored(url);
  assert.ok(content.includes(email), 'the search finds nothing');
  for (const text of [...secrets, secret]) assert.ok(!content.includes(text), `in the database: ${text}`);
  for (const line of stdout.trim().split('\n')) JSON.parse(line);
});

test('what a caller sends cannot make a line of its own', async t => {
  const app = await startApp(t);
  const before = app.logged.length;
  await app.post('/login', { email: 'a\n{"level":60,"msg":"forged"}\u001b[2J@example.com', password: 'x' });
  await app.get('/me', { headers: { 'x-request-id': 'a"},{"level":60' } });
  const lines = app.logged.slice(before);
  assert.deepEqual(
    lines.map(line => line['event'] ?? line['status']),
    ['login_failed', 401, 401],
  );
  assert.ok(!JSON.stringify(lines).includes('forged'));
});

test('nor can a forwarded address that is none, by way of a proxy that passes it on', async t => {
  const app = await startApp(t, { settings: { TRUSTED_PROXIES: '127.0.0.1' } });
  await app.get('/me', { headers: { 'x-forwarded-for': '"},{"msg":"forged\\' } });
  const lines = app.logged.filter(({ route }) => route === '/me');
  assert.deepEqual(
    lines.map(({ msg, status }) => [msg, status]),
    [[undefined, 401]],
  );
});
