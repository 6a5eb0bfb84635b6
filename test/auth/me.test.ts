import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp } from '../helpers/app.ts';

test('GET /me is the person as they registered', async t => {
  const app = await startApp(t);
  const { body: registered } = await app.post('/users', {
    email: 'Ada@Example.com',
    password: 'a very good passphrase',
    name: 'Ada',
  });
  const token = await app.login({ email: 'ada@example.com', password: 'a very good passphrase' });
  const { status, body, headers } = await app.get('/me', { token });
  assert.equal(status, 200);
  assert.deepEqual(body, registered);
  assert.equal(headers.get('cache-control'), 'no-store');
});

test('PATCH /me changes the name and nothing else', async t => {
  const app = await startApp(t);
  const { token } = await app.person();
  const before = (await app.get('/me', { token })).body;
  app.turnClock(60);
  const { status, body } = await app.request('PATCH', '/me', {
    token,
    json: { name: 'Ada, Countess of Lovelace' },
  });
  assert.equal(status, 200);
  assert.equal(body.name, 'Ada, Countess of Lovelace');
  assert.ok(body.updated_at > before.updated_at);
  assert.deepEqual({ ...body, name: null, updated_at: before.updated_at }, before);
  assert.deepEqual((await app.get('/me', { token })).body, body);
  assert.equal((await app.request('PATCH', '/me', { token, json: { name: null } })).body.name, null);
  for (const json of [{}, { email: 'x@example.com' }, { name: 'x', id: 'y' }, { name: 'x\n' }]) {
    assert.equal((await app.request('PATCH', '/me', { token, json })).status, 422);
  }
});

test('deletion asks for the password, and takes everything with it at once', async t => {
  const app = await startApp(t);
  const person = await app.person();
  const other = await app.person();
  const secondToken = await app.login(person);

  const wrong = await app.post('/me/deletion', { password: `${other.password}x` }, { token: person.token });
  assert.deepEqual([wrong.status, wrong.body.code], [401, 'invalid_credentials']);
  assert.equal((await app.get('/me', { token: person.token })).status, 200);

  const gone = await app.post('/me/deletion', { password: person.password }, { token: person.token });
  assert.deepEqual([gone.status, gone.text], [204, '']);
  for (const token of [person.token, secondToken]) {
    const { status, body } = await app.get('/me', { token });
    assert.deepEqual([status, body.code], [401, 'invalid_token']);
  }
  const { database } = app.world;
  const left = await database.db.selectFrom('sessions').select('user_id').execute();
  assert.deepEqual(
    left.map(row => row.user_id),
    [other.id],
  );
  assert.equal((await app.post('/login', { email: person.email, password: person.password })).status, 401);

  const again = await app.register(person.email, person.password);
  assert.notEqual(again.id, person.id);
  assert.equal((await app.get('/me', { token: person.token })).status, 401);
  assert.equal((await app.get('/me', { token: other.token })).status, 200);
});

test('of two deletions at once both end, and one person is gone once', async t => {
  const app = await startApp(t);
  const { password, token } = await app.person();
  const answers = await Promise.all([1, 2, 3].map(() => app.post('/me/deletion', { password }, { token })));
  assert.ok(answers.some(({ status }) => status === 204));
  assert.ok(answers.every(({ status }) => status === 204 || status === 401));
});

test('a session ends at its absolute end, to the second', async t => {
  const app = await startApp(t, { settings: { SESSION_TTL: '600', ACCESS_TOKEN_TTL: '3600' } });
  const { token } = await app.person();
  app.turnClock(590);
  assert.equal((await app.get('/me', { token })).status, 200);
  app.turnClock(10);
  assert.equal((await app.get('/me', { token })).status, 401);
});
