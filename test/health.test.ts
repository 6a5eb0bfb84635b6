import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { buildApp } from '../src/app.ts';
import { type BcryptEngine, createBcryptEngine, Overloaded } from '../src/bcrypt/index.ts';
import { type Database, DatabaseUnavailable } from '../src/database.ts';
import { startApp } from './helpers/app.ts';

test('with a database that answers, all three say ok', async t => {
  const app = await startApp(t);
  for (const path of ['/health', '/health/ready']) {
    const { status, body } = await app.get(path);
    assert.deepEqual([status, body], [200, { status: 'ok', database: 'ok' }]);
  }
  const { status, body } = await app.get('/health/live');
  assert.deepEqual([status, body], [200, { status: 'ok' }]);
});

const broken: readonly (readonly [name: string, ping: () => Promise<void>])[] = [
  ['that refuses', async () => assert.fail('gone')],
  ['that never answers', () => new Promise(() => {})],
];

test('without one, health and ready are 503 within two seconds, and live is not asked', async t => {
  for (const [name, ping] of broken) {
    await t.test(`a database ${name}`, async t => {
      const { world } = await startApp(t);
      let pings = 0;
      const counted = () => {
        pings++;
        return ping();
      };
      const app = await startApp(t, { database: withPing(world.database, counted) });
      // These seconds pass when they are told to: the machine may be busy, and half of one is all that there is to spare.
      t.mock.timers.enable({ apis: ['setTimeout'] });
      for (const [before, path] of ['/health', '/health/ready'].entries()) {
        const asked = app.get(path);
        while (pings === before) await new Promise(setImmediate);
        t.mock.timers.tick(1999);
        const { status, body } = await asked;
        assert.deepEqual([status, body], [503, { status: 'unavailable', database: 'unavailable' }]);
      }
      t.mock.timers.reset();
      assert.equal((await app.get('/health/live')).status, 200);
      assert.equal(pings, 2);
    });
  }
});

test('once it is told to stop, ready is 503 on a connection that is open still', async t => {
  const { world } = await startApp(t);
  const app = await buildApp(world);
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  app.get('/slow', { config: { access: 'public' } }, async () => {
    reached.resolve();
    await gate.promise;
    return 'done';
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8');
  socket.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n');
  await reached.promise;
  const closed = app.close();
  // Closing begins a few turns of the event loop later; then the listener is gone.
  while (app.server.listening) await new Promise(setImmediate);
  socket.write('GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n');
  gate.resolve();
  let text = '';
  for await (const chunk of socket) text += chunk;
  assert.match(
    text,
    /^HTTP\/1\.1 200 .*\r\n\r\ndone.*HTTP\/1\.1 503 .*{"status":"unavailable","database":"ok"}/s,
  );
  await closed;
});

test('work for which there is no time is a 503 with Retry-After, alike for those who exist and those who do not', async t => {
  let full = false;
  const inner = await createBcryptEngine({ threads: 1, log: assert.fail });
  t.after(() => inner.close());
  const engine: BcryptEngine = {
    description: 'full',
    digest: async work => {
      if (full) throw new Overloaded(7);
      return await inner.digest(work);
    },
    close: async () => {},
  };
  const app = await startApp(t, { engine });
  const { email, password, token } = await app.person();
  full = true;
  const answers = [
    await app.post('/login', { email, password }),
    await app.post('/login', { email: 'nobody@example.com', password }),
    await app.post('/users', { email: 'new@example.com', password }),
    await app.post('/me/deletion', { password }, { token }),
    await app.request('PUT', '/me/password', {
      token,
      json: { current_password: password, new_password: `${password}2` },
    }),
  ];
  for (const { status, body, headers } of answers) {
    assert.deepEqual([status, body.code, headers.get('retry-after')], [503, 'overloaded', '7']);
  }
  assert.equal((await app.get('/me', { token })).status, 200);
});

test('a database that cannot be written is a 503 with Retry-After, and reads go on', async t => {
  const { world } = await startApp(t);
  let writable = true;
  const check = (): void => {
    if (!writable) throw new DatabaseUnavailable('the disk is full');
  };
  const database: Database = {
    ...withPing(world.database, () => world.database.ping()),
    async transaction(work) {
      check();
      return await world.database.transaction(work);
    },
    async statement(work) {
      check();
      return await world.database.statement(work);
    },
  };
  const app = await startApp(t, { database });
  const { email, password, token } = await app.person();
  writable = false;
  const answers = [
    await app.post('/users', { email: 'new@example.com', password }),
    await app.post('/login', { email, password }),
    await app.request('PATCH', '/me', { token, json: { name: 'Ada' } }),
    await app.post('/logout', {}, { token }),
  ];
  for (const { status, body, headers, text } of answers) {
    assert.deepEqual([status, body.code, headers.get('retry-after')], [503, 'unavailable', '1']);
    assert.doesNotMatch(text, /disk is full/);
  }
  assert.equal((await app.get('/me', { token })).status, 200);
});

function withPing(database: Database, ping: Database['ping']): Database {
  return {
    db: database.db,
    transaction: work => database.transaction(work),
    statement: work => database.statement(work),
    exclusive: work => database.exclusive(work),
    ping,
    close: async () => {},
  };
}
