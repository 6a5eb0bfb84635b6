import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { startApp } from '../helpers/app.ts';
import type { Answer } from '../helpers/client.ts';

test('a login answers alike for JSON and for the form of OAuth 2.0', async t => {
  const app = await startApp(t);
  const { email, password, id } = await app.register();
  const answers = [
    await app.post('/login', { email, password }),
    await app.request('POST', '/login', { form: { username: email, password } }),
    await app.request('POST', '/login', {
      form: {
        grant_type: 'password',
        username: email,
        password,
        scope: '',
        client_id: 'x',
        client_secret: 'y',
      },
    }),
  ];
  for (const { status, body, headers } of answers) {
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body), [
      'access_token',
      'token_type',
      'expires_in',
      'refresh_token',
      'refresh_expires_in',
    ]);
    assert.equal(body.token_type, 'bearer');
    assert.equal(body.expires_in, 900);
    assert.ok(body.refresh_expires_in > 1_209_590 && body.refresh_expires_in <= 1_209_600);
    assert.match(body.refresh_token, /^[A-Za-z0-9_-]{64}$/);
    assert.equal(headers.get('cache-control'), 'no-store');
    const header = decodeProtectedHeader(body.access_token);
    assert.deepEqual(Object.keys(header).sort(), ['alg', 'kid', 'typ']);
    assert.deepEqual([header.alg, header.typ], ['ES256', 'at+jwt']);
    const claims = decodeJwt(body.access_token);
    assert.deepEqual(Object.keys(claims).sort(), ['aud', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub']);
    assert.deepEqual([claims.iss, claims.aud, claims.sub], ['plinth', 'plinth', id]);
    assert.equal(Number(claims.exp) - Number(claims.iat), 900);
  }
  assert.equal(new Set(answers.map(({ body }) => decodeJwt(body.access_token)['sid'])).size, 3);
  assert.equal(new Set(answers.map(({ body }) => body.refresh_token)).size, 3);
});

test('no token of a login stands in the database as it is', async t => {
  const app = await startApp(t);
  const person = await app.register();
  const { body } = await app.post('/login', { email: person.email, password: person.password });
  const rows = JSON.stringify(await app.world.database.db.selectFrom('sessions').selectAll().execute());
  const bytes = Buffer.from(body.refresh_token, 'base64url');
  const forms = [
    body.refresh_token,
    body.access_token,
    bytes.subarray(0, 16).toString('base64url'),
    bytes.subarray(16).toString('base64url'),
    bytes.subarray(16).toString('hex'),
  ];
  for (const secret of forms) assert.ok(!rows.includes(secret));
  const [session] = JSON.parse(rows);
  assert.equal(session.user_id, person.id);
  assert.equal(session.ip, '127.0.0.1');
  assert.equal(
    new Date(session.expires_at).getTime() - new Date(session.created_at).getTime(),
    2_592_000_000,
  );
});

test('one answer for a wrong password, an unknown address and what is no address at all', async t => {
  const app = await startApp(t);
  const { email, password } = await app.register();
  const headers = { 'x-request-id': 'the-same' };
  const attempts = [
    { email, password: 'not the right one' },
    { email: 'nobody@example.com', password },
    { email: 'not an address', password },
    { email: '', password: '' },
  ];
  const answers = [];
  for (const json of attempts) answers.push(await app.request('POST', '/login', { json, headers }));
  const [first, ...others] = answers.map(visible);
  assert.match(String(first), /^401 .*invalid_credentials/s);
  for (const other of others) assert.equal(other, first);
});

test('a password does not expire', async t => {
  const app = await startApp(t);
  const { email, password } = await app.register();
  app.turnClock(5 * 365 * 24 * 3600);
  assert.equal((await app.post('/login', { email, password })).status, 200);
});

const bodies: readonly (readonly [name: string, options: object, status: number, fault: string])[] = [
  ['no password', { json: { email: 'a@example.com' } }, 422, '/password required'],
  [
    'an operator object',
    { json: { email: 'a@example.com', password: { $gt: '' } } },
    422,
    '/password wrong_type',
  ],
  ['a list of addresses', { json: { email: ['a@example.com'], password: 'x' } }, 422, '/email wrong_type'],
  ['null', { json: { email: null, password: 'x' } }, 422, '/email wrong_type'],
  ['a session id', { json: { email: 'a@example.com', password: 'x', sid: 'x' } }, 422, '/sid unknown_field'],
  [
    'form fields in JSON',
    { json: { username: 'a@example.com', password: 'x' } },
    422,
    '/username unknown_field',
  ],
  [
    'another grant',
    { form: { grant_type: 'refresh_token', username: 'a', password: 'x' } },
    422,
    '/grant_type not_allowed',
  ],
  ['JSON fields in a form', { form: { email: 'a@example.com', password: 'x' } }, 422, '/username required'],
  ['a password that is not UTF-8', form('username=a&password=%FF%FE'), 400, 'malformed_request'],
  ['a field twice', form('username=a&username=b&password=x'), 400, 'malformed_request'],
  ['a raw byte', form('username=a&password=\u00e9'), 400, 'malformed_request'],
  ['half an escape', form('username=a&password=%4'), 400, 'malformed_request'],
  ['a prototype', form('username=a&password=x&__proto__=y'), 400, 'malformed_request'],
];

test('bodies that are not a login', async t => {
  const app = await startApp(t);
  for (const [name, options, status, fault] of bodies) {
    await t.test(name, async () => {
      const answer = await app.request('POST', '/login', options);
      assert.equal(answer.status, status);
      const faults = answer.body.errors?.map(
        (one: { pointer: string; code: string }) => `${one.pointer} ${one.code}`,
      );
      assert.ok([answer.body.code, ...(faults ?? [])].includes(fault), `${fault} is not among ${faults}`);
    });
  }
});

test('credentials in the query count for nothing', async t => {
  const app = await startApp(t);
  const { email, password } = await app.register();
  const query = new URLSearchParams({ username: email, password });
  assert.equal((await app.request('POST', `/login?${query}`)).status, 415);
  assert.equal((await app.post(`/login?${query}`, {})).status, 422);
});

test('a public key and a token are enough to know a person elsewhere', async t => {
  const app = await startApp(t);
  const { createRemoteJWKSet, jwtVerify } = await import('jose');
  const person = await app.person();
  const keys = createRemoteJWKSet(new URL(`${app.url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(person.token, keys, {
    issuer: 'plinth',
    audience: 'plinth',
    typ: 'at+jwt',
  });
  assert.equal(payload.sub, person.id);
  const { headers, body } = await app.get('/.well-known/jwks.json');
  assert.equal(headers.get('cache-control'), 'public, max-age=300');
  for (const key of body.keys) assert.ok(!('d' in key));
});

/** What a stranger sees, but for the clock. */
function visible({ status, headers, text }: Answer): string {
  const shown = [...headers].filter(([name]) => name !== 'date');
  return `${status} ${JSON.stringify(shown)} ${text}`;
}

function form(body: string): object {
  return { body: Buffer.from(body), headers: { 'content-type': 'application/x-www-form-urlencoded' } };
}
