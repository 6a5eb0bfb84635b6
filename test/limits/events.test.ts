import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp, type TestApp } from '../helpers/app.ts';
import type { Person } from '../helpers/client.ts';
import { inMemory, proxied, wrong } from './support.ts';

interface Scene {
  readonly app: TestApp;
  readonly person: Person;
  readonly token: string;
}

const from = { 'x-forwarded-for': '2001:db8::7' };
const login = async ({ app }: Scene, email: string, headers: Record<string, string> = from) =>
  await app.post('/login', { email, password: wrong }, { headers });

/** What is tried, and the one event that tells of it. */
const attempts: readonly (readonly [name: string, act: (scene: Scene) => Promise<unknown>, event: string])[] =
  [
    ['a wrong password', scene => login(scene, scene.person.email), 'login_failed'],
    ['an unknown address', scene => login(scene, 'nobody@example.com'), 'login_failed'],
    ['what would be a line', scene => login(scene, 'a\n{"level":60,"msg":"forged"}'), 'login_failed'],
    ['what would move the cursor', scene => login(scene, '\u001b[2J\u001b]0;forged\u0007'), 'login_failed'],
    ['what would end the text', scene => login(scene, '","event":"forged'), 'login_failed'],
    [
      'a source that would be a line',
      scene => login(scene, 'nobody@example.com', { 'x-forwarded-for': '"},{"forged":"' }),
      'login_failed',
    ],
    [
      'a password change with a wrong one',
      ({ app, token }) =>
        app.request('PUT', '/me/password', {
          token,
          headers: from,
          json: { current_password: wrong, new_password: 'another good passphrase' },
        }),
      'password_check_failed',
    ],
    [
      'a deletion with a wrong one',
      ({ app, token }) => app.post('/me/deletion', { password: wrong }, { token, headers: from }),
      'password_check_failed',
    ],
  ];

test('an attempt that fails is told of once, in one line that says whose it was and from where', async t => {
  const app = await startApp(t, { settings: { ...proxied, ...inMemory } });
  const person = await app.register();
  const scene = { app, person, token: await app.login(person) };
  for (const [name, act, event] of attempts) {
    const before = app.logged.length;
    await act(scene);
    const events = app.logged.slice(before).filter(line => 'event' in line);
    assert.deepEqual(
      events.map(line => line['event']),
      [event],
      name,
    );
    const [{ account, request_id, ip, source, user_id } = {}] = events;
    assert.match(String(account), /^[A-Za-z0-9_-]{16}$/);
    assert.match(String(request_id), /^[A-Za-z0-9._-]{1,64}$/);
    assert.ok(
      ['2001:db8::7 2001:db8:0:0::/64', '127.0.0.1 127.0.0.1'].includes(`${ip} ${source}`),
      `${ip} ${source}`,
    );
    assert.equal(user_id, event === 'password_check_failed' ? person.id : undefined);
  }
  const text = JSON.stringify(app.logged);
  for (const secret of ['forged', person.email, wrong, person.password]) assert.ok(!text.includes(secret));
});

test('so is a refusal, and the account has one name for all forms of its address', async t => {
  const settings = { ...proxied, ...inMemory, LOGIN_LIMIT_ACCOUNT: '2', NEW_PASSWORD_LIMIT: '1' };
  const app = await startApp(t, { settings });
  const { email } = await app.register();
  for (const form of [email, email.toUpperCase(), email])
    await app.post('/login', { email: form, password: wrong }, { headers: from });
  await app.post('/login', { email: 'else@example.com', password: wrong }, { headers: from });
  const events = app.logged.filter(line => String(line['event']).startsWith('login'));
  assert.deepEqual(
    events.map(line => line['event']),
    ['login_failed', 'login_failed', 'login_throttled', 'login_failed'],
  );
  const accounts = events.map(line => line['account']);
  assert.equal(new Set(accounts.slice(0, 3)).size, 1);
  assert.notEqual(accounts[3], accounts[0]);
  assert.equal(events[2]?.['level'], 40);
  await app.post('/users', { email: 'else@example.com', password: 'a very good passphrase' });
  const [refused] = app.logged.filter(line => line['event'] === 'new_password_throttled');
  assert.equal(refused?.['source'], '127.0.0.1');
});
