import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp } from '../helpers/app.ts';

const preflight = (origin: string) => ({
  headers: {
    origin,
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'authorization',
  },
});

test('without CORS_ORIGINS no answer speaks of origins', async t => {
  const app = await startApp(t);
  const { headers } = await app.get('/health', { headers: { origin: 'https://app.example' } });
  assert.equal(headers.get('access-control-allow-origin'), null);
  assert.equal((await app.request('OPTIONS', '/me', preflight('https://app.example'))).status, 405);
});

test('with it, exactly those origins are let in', async t => {
  const app = await startApp(t, { settings: { CORS_ORIGINS: 'https://app.example,http://localhost:5173' } });
  for (const origin of ['https://app.example', 'http://localhost:5173']) {
    const { headers } = await app.get('/health', { headers: { origin } });
    assert.equal(headers.get('access-control-allow-origin'), origin);
    assert.match(headers.get('vary') ?? '', /origin/i);
    const answer = await app.request('OPTIONS', '/me', preflight(origin));
    assert.equal(answer.status, 204);
    assert.match(answer.headers.get('access-control-allow-methods') ?? '', /PATCH/);
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /authorization/i);
    const refused = await app.get('/me', { headers: { origin } });
    assert.deepEqual([refused.status, refused.headers.get('access-control-allow-origin')], [401, origin]);
    const missing = await app.get('/nothing', { headers: { origin } });
    assert.deepEqual([missing.status, missing.headers.get('access-control-allow-origin')], [404, origin]);
  }
  const id = '019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17';
  for (const [path, status] of [
    [`/me/sessions/${id}`, 204],
    ['/nothing', 404],
    ['/me/', 404],
  ] as const) {
    const answer = await app.request('OPTIONS', path, preflight('https://app.example'));
    assert.deepEqual([answer.status, answer.body?.code], [status, status === 404 ? 'not_found' : undefined]);
  }
  const strangers = [
    'null',
    'http://app.example',
    'https://app.example:8443',
    'https://app.example.evil.example',
    'https://evilapp.example',
    'https://APP.example',
    '',
  ];
  for (const origin of strangers) {
    const { headers } = await app.get('/health', { headers: { origin } });
    assert.equal(headers.get('access-control-allow-origin'), null, origin);
    const answer = await app.request('OPTIONS', '/me', preflight(origin));
    assert.equal(answer.headers.get('access-control-allow-origin'), null, origin);
  }
});

test('a forwarded address counts only from a trusted proxy, the rightmost that is not one', async t => {
  const forwarded = { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' };
  const addressOf = async (settings: Record<string, string>) => {
    const app = await startApp(t, { settings });
    const { email, password } = await app.register();
    await app.request('POST', '/login', { json: { email, password }, headers: forwarded });
    const row = await app.world.database.db.selectFrom('sessions').select('ip').executeTakeFirstOrThrow();
    return row.ip;
  };
  assert.equal(await addressOf({}), '127.0.0.1');
  assert.equal(await addressOf({ TRUSTED_PROXIES: '192.0.2.0/24' }), '127.0.0.1');
  assert.equal(await addressOf({ TRUSTED_PROXIES: '127.0.0.1' }), '198.51.100.7');
  assert.equal(await addressOf({ TRUSTED_PROXIES: '127.0.0.0/8,198.51.100.0/24' }), '203.0.113.9');
});
