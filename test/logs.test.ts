import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp } from './helpers/app.ts';
import { contentOf, serviceFolder, stored } from './helpers/database.ts';
import { ServiceProcess } from './helpers/process.ts';
import { sendRaw } from './helpers/wire.ts';

const password = 'canary of a passphrase';

test('one line for each request: id, method, route, status, duration, and who it was', async t => {
  const app = await startApp(t);
  const person = await app.person();
  const headers = { 'x-request-id': 'of-mine' };
  await app.get('/me?secret=query', { token: person.token, headers });
  await app.get('/nothing/here', { headers: { 'x-request-id': 'of-nothing' } });
  const [me, ...others] = app.logged.filter(line => line['request_id'] === 'of-mine');
  assert.deepEqual(others, []);
  assert.deepEqual(Object.keys(me ?? {}).sort(), [
    'duration_ms',
    'level',
    'method',
    'request_id',
    'route',
    'status',
    'time',
    'user_id',
  ]);
  assert.deepEqual(
    [me?.['method'], me?.['route'], me?.['status'], me?.['user_id']],
    ['GET', '/me', 200, person.id],
  );
  assert.ok(Number(me?.['duration_ms']) > 0);
  const [nothing] = app.logged.filter(line => line['request_id'] === 'of-nothing');
  assert.deepEqual([nothing?.['route'], nothing?.['status']], [null, 404]);
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
  assert.equal(lines.length, 2);
  assert.ok(!JSON.stringify(lines).includes('forged'));
});
