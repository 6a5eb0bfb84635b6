import assert from 'node:assert/strict';
import test from 'node:test';
import { buildApp } from '../../src/app.ts';
import { requireDeclaredAccess } from '../../src/http/policy.ts';
import { createServer, fixedLimits } from '../../src/server.ts';
import { startApp } from '../helpers/app.ts';
import { routesOf } from '../helpers/routes.ts';

/** Open on purpose. A new route does not get here by itself. */
const open =
  /^(POST \/users|POST \/login|POST \/refresh|GET \/health(\/live|\/ready)?|GET \/\.well-known\/jwks\.json|GET \/openapi\.json|GET \/docs(\/\S+)?)$/;

test('every registered route but the open ones asks for a token, before it looks at anything else', async t => {
  const app = await startApp(t);
  const twin = await buildApp(app.world);
  t.after(() => twin.close());
  const routes = await routesOf(twin);
  assert.ok(
    routes.includes('GET /me') && routes.includes('POST /me/deletion') && routes.includes('POST /login'),
  );
  for (const route of routes) {
    const [method = '', path = ''] = route.split(' ');
    const { status } = await app.request(
      method,
      path.replace(/:\w+/g, '019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17'),
    );
    assert.equal(status !== 401, open.test(route.replace('HEAD', 'GET')), `${route} answers ${status}`);
  }
});

test('a route without a declared policy stops the start', async t => {
  const { world } = await startApp(t);
  const limits = { ...fixedLimits, connections: 10, keepAliveTimeout: 1000 };
  const app = createServer({
    log: world.log,
    record: () => undefined,
    sourceOf: () => assert.fail(),
    limits,
  });
  requireDeclaredAccess(app);
  assert.throws(() => app.get('/bare', async () => 'open'), /GET \/bare declares no access/);
  assert.throws(
    () => app.get('/empty', { config: {} }, async () => 'open'),
    /GET \/empty declares no access/,
  );
  app.get('/declared', { config: { access: 'public' } }, async () => 'open');
  const whole = await buildApp(world);
  assert.throws(() => whole.get('/bare', async () => 'open'), /GET \/bare declares no access/);
  await whole.close();
});

test('a public handler that reads who is asking fails instead of finding nobody', async t => {
  const app = await buildApp((await startApp(t)).world);
  t.after(() => app.close());
  app.get('/who', { config: { access: 'public' } }, async request => request.user);
  app.get('/session', { config: { access: 'public' } }, async request => request.session);
  assert.equal((await app.inject('/who')).statusCode, 500);
  assert.equal((await app.inject('/session')).statusCode, 500);
});

test('a token counts by the session row: without it, none does', async t => {
  const app = await startApp(t);
  const person = await app.person();
  assert.equal((await app.get('/me', { token: person.token })).status, 200);
  await app.world.database.transaction(tx =>
    tx.deleteFrom('sessions').where('user_id', '=', person.id).execute(),
  );
  const { status, body } = await app.get('/me', { token: person.token });
  assert.deepEqual([status, body.code], [401, 'invalid_token']);
});

test('two people who take turns are never mixed up, and one token works a thousand times', async t => {
  const app = await startApp(t);
  const pair = [await app.person(), await app.person()];
  for (let i = 0; i < 500; i++) {
    const answers = await Promise.all(pair.map(({ token }) => app.get('/me', { token })));
    assert.deepEqual(
      answers.map(({ body }) => body.id),
      pair.map(({ id }) => id),
    );
  }
});

test('the subject comes from the token alone', async t => {
  const app = await startApp(t);
  const ada = await app.person();
  const eve = await app.person();
  const headers = { 'x-user-id': ada.id, cookie: `user_id=${ada.id}`, sub: ada.id };
  const { body } = await app.get(`/me?user_id=${ada.id}&sub=${ada.id}`, { token: eve.token, headers });
  assert.equal(body.id, eve.id);
});
