import assert from 'node:assert/strict';
import test from 'node:test';
import { parseList } from 'structured-headers';
import { startApp } from '../helpers/app.ts';
import type { Answer } from '../helpers/client.ts';
import { countingEngine, failFrom, inMemory, logInFrom, proxied, tally, wrong } from './support.ts';

const type = 'https://iana.org/assignments/http-problem-types#quota-exceeded';

test('a refusal says which limit it was, and when to come back, as draft-ietf-httpapi-ratelimit-headers has it', async t => {
  const app = await startApp(t, { settings: { ...proxied, ...inMemory, LOGIN_LIMIT_SOURCE: '12' } });
  const { email } = await app.register();
  await failFrom(app, email, 10, () => '203.0.113.1');
  expectRefusal(await logInFrom(app, '203.0.113.1', email, wrong), 'login-account', 10, 60);
  await failFrom(app, 'nobody@example.com', 2, () => '203.0.113.1');
  expectRefusal(await logInFrom(app, '203.0.113.1', 'else@example.com', wrong), 'login-source', 12, 60);
});

test('registrations are limited for each source, and what is refused costs no hash', async t => {
  const engine = await countingEngine(t);
  const app = await startApp(t, { engine, settings: { ...proxied, ...inMemory, NEW_PASSWORD_LIMIT: '5' } });
  const register = async (number: number, from: string): Promise<Answer> =>
    await app.post(
      '/users',
      { email: `p${number % 4}@example.com`, password: 'a very good passphrase' },
      { headers: { 'x-forwarded-for': from } },
    );
  const statuses: number[] = [];
  for (let number = 0; number < 9; number++) statuses.push((await register(number, '203.0.113.1')).status);
  // The fifth is a registration of an address that is taken: to ask for that is limited too.
  assert.equal(tally(statuses), '201 x 4, 409 x 1, 429 x 4');
  assert.equal(engine.count, 5);
  expectRefusal(await register(5, '203.0.113.1'), 'new-password', 5, 900);
  // A body with faults costs nothing, and counts for nothing.
  const faulty = await app.post('/users', { email: 'x' }, { headers: { 'x-forwarded-for': '203.0.113.1' } });
  assert.equal(faulty.status, 422);
  assert.equal((await register(7, '203.0.113.2')).status, 409);
});

test('new passwords are limited for each session, whoever else changes theirs', async t => {
  const app = await startApp(t, { settings: { ...inMemory, NEW_PASSWORD_LIMIT: '3' } });
  const [one, other] = [await app.person(), await app.person()];
  const change = async (token: string, number: number): Promise<Answer> =>
    await app.request('PUT', '/me/password', {
      token,
      json: {
        current_password: number ? `passphrase number ${number}` : one.password,
        new_password: `passphrase number ${number + 1}`,
      },
    });
  for (let number = 0; number < 3; number++) assert.equal((await change(one.token, number)).status, 204);
  expectRefusal(await change(one.token, 3), 'new-password', 3, 900);
  assert.equal((await change(other.token, 0)).status, 204);
});

test('fields of a limit are on no other answer: what is left of it would tell how others try', async t => {
  const app = await startApp(t, { settings: inMemory });
  const person = await app.register();
  for (const password of [wrong, person.password]) {
    const { headers } = await app.post('/login', { email: person.email, password });
    for (const name of ['ratelimit', 'ratelimit-policy', 'retry-after'])
      assert.equal(headers.get(name), null);
  }
});

test('a page of another origin may read the fields', async t => {
  const app = await startApp(t, { settings: { ...inMemory, CORS_ORIGINS: 'https://app.example' } });
  const { headers } = await app.get('/health', { headers: { origin: 'https://app.example' } });
  const exposed = headers.get('access-control-expose-headers') ?? '';
  for (const name of ['ratelimit', 'ratelimit-policy', 'retry-after'])
    assert.match(exposed, new RegExp(name));
});

/** Wait in seconds; a little of it may have passed. */
function expectRefusal({ status, headers, body }: Answer, policy: string, limit: number, wait: number): void {
  assert.equal(status, 429);
  const [name, { r, t }] = onlyItem(headers.get('ratelimit'));
  assert.deepEqual([name, r], [policy, 0]);
  assert.ok(Number(t) > wait - 5 && Number(t) <= wait, `t is ${t}`);
  assert.deepEqual(onlyItem(headers.get('ratelimit-policy')), [policy, { q: limit, w: 900 }]);
  assert.ok(Number(headers.get('retry-after')) >= Number(t));
  assert.ok(Number(headers.get('retry-after')) <= 900);
  assert.deepEqual([body.type, body.code, body['violated-policies']], [type, 'too_many_requests', [policy]]);
  assert.equal(body.title, 'Request cannot be satisfied as assigned quota has been exceeded');
}

/** Of a list of structured fields that has one string. */
function onlyItem(field: string | null): [name: string, parameters: Record<string, unknown>] {
  const [[name, parameters] = [], ...others] = parseList(field ?? '');
  assert.ok(typeof name === 'string' && parameters instanceof Map);
  assert.deepEqual(others, []);
  return [name, Object.fromEntries(parameters)];
}
