import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { readConfig } from '../../src/config.ts';
import { drainOnClose } from '../../src/http/drain.ts';
import { listen } from '../../src/http/listen.ts';
import { createSources } from '../../src/http/source.ts';
import { createLog } from '../../src/log.ts';
import { createServer, limitsOf } from '../../src/server.ts';
import { freePort } from '../helpers/postgres/server.ts';

const host = '127.0.0.1';
/** So many that they come by every socket that listens. */
const many = 200;
const onLinux = { skip: process.platform !== 'linux' };

test('several new connections are taken in one turn of the event loop', async t => {
  const { app, port } = await start(t);
  const taken: number[] = [];
  let turn = 0;
  let taking = true;
  app.server.on('connection', () => {
    taken[turn] = (taken[turn] ?? 0) + 1;
  });
  const next = (): void => {
    turn++;
    if (taking) setImmediate(next);
  };
  next();
  const clients = await connected(t, port);
  while (taken.reduce((sum, count) => sum + count, 0) < many) await new Promise(setImmediate);
  taking = false;
  for (const client of clients) client.destroy();
  if (process.platform === 'linux')
    assert.ok(Math.max(...taken.filter(Number)) >= 8, `${taken.filter(Number)}`);
});

test('an address that another program listens on is refused, shared or not', async t => {
  for (const reusePort of process.platform === 'linux' ? [false, true] : [false]) {
    const other = createTcpServer().listen({ host, port: 0, reusePort });
    t.after(() => other.close());
    await once(other, 'listening');
    await assert.rejects(listen(build(t), { host, port: (other.address() as AddressInfo).port }), {
      code: 'EADDRINUSE',
      syscall: 'listen',
    });
  }
});

test('a name stands for all of its addresses that this machine has', onLinux, async t => {
  // One of them twice, as a file of hosts may have it; one for documentation, which nobody has.
  const names = [host, '203.0.113.1', '127.0.0.2', host].map(address => ({ address }));
  const app = build(t);
  const url = await listen(app, { host: 'a.name', port: 0, resolve: async () => names });
  const port = Number(new URL(url).port);
  for (const address of [host, '127.0.0.2']) {
    const client = connect(port, address);
    client.write('GET / HTTP/1.0\r\n\r\n');
    const [text] = await once(client.setEncoding('latin1'), 'data');
    assert.match(text, /^HTTP\/1\.1 404 /, address);
    client.destroy();
  }
  const taken = { host: 'a.name', port, resolve: async () => names.slice(2) };
  await assert.rejects(listen(build(t), taken), { code: 'EADDRINUSE' });
  const ofNobody = {
    ...taken,
    resolve: async () => ['203.0.113.1', '203.0.113.2'].map(address => ({ address })),
  };
  await assert.rejects(listen(build(t), ofNobody), { code: 'EADDRNOTAVAIL', syscall: 'listen' });
  await app.close();
  for (const address of [host, '127.0.0.2']) {
    const [error] = await once(connect(port, address), 'error');
    assert.equal(error.code, 'ECONNREFUSED');
  }
});

test('who starts while another looks whether the same address is free, waits for it', onLinux, async t => {
  const { port, name } = await startOfAnother(t);
  const app = build(t);
  await app.ready();
  const refused = assert.rejects(listen(app, { host, port }), { code: 'EADDRINUSE' });
  // Fewer than it tries, and more than it would take to listen.
  for (let turns = 0; turns < 15; turns++) await new Promise(setImmediate);
  const other = createTcpServer().listen({ host, port, reusePort: true });
  t.after(() => other.close());
  await once(other, 'listening');
  name.close();
  await refused;
});

test('nobody prevents a start by seeming to start', onLinux, async t => {
  const { port } = await startOfAnother(t);
  await listen(build(t), { host, port });
});

test('closing waits for the requests of all connections, whichever socket they came by, and takes no more', async t => {
  const { app, port, held } = await start(t);
  const clients = await connected(t, port);
  const answers = clients.map(client => once(client.setEncoding('latin1'), 'data'));
  for (const client of clients) client.write('GET /held HTTP/1.1\r\nhost: x\r\n\r\n');
  while (held.count < many) await new Promise(setImmediate);
  let closed = false;
  // Whatever time there is for that is the service's to say.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const closing = app.close().then(() => {
    closed = true;
  });
  while (app.server.listening) await new Promise(setImmediate);
  t.mock.timers.tick(60_000);
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  const [error] = await once(connect(port, host), 'error');
  assert.equal(error.code, 'ECONNREFUSED');
  assert.equal(closed, false);
  held.release();
  for (const [text] of await Promise.all(answers)) assert.match(text, /^HTTP\/1\.1 200 /);
  await closing;
});

test('the limit of connections is one of all that come by any socket', async t => {
  const { app, port } = await start(t, 20);
  let open = 0;
  app.server.on('connection', socket => {
    if (!socket.destroyed) open++;
  });
  await Promise.all((await connected(t, port)).slice(0, many - 20).map(client => once(client, 'close')));
  assert.equal(open, 20);
});

/** At an address that is free, and the name that says so for as long as it is not closed. */
async function startOfAnother(t: TestContext) {
  const port = await freePort();
  const name = createTcpServer().listen(`\0plinth starts on ${port}`);
  t.after(() => name.close());
  await once(name, 'listening');
  return { port, name };
}

function build(t: TestContext, connections = many) {
  const limits = { ...limitsOf(readConfig({})), connections };
  const record = () => undefined;
  const app = createServer({
    log: createLog('silent', { stream: { write: () => undefined }, flush: () => undefined }),
    record,
    sourceOf: createSources([]),
    limits,
  });
  drainOnClose(app);
  t.after(() => app.close());
  return app;
}

async function start(t: TestContext, connections = many) {
  const app = build(t, connections);
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = { count: 0, release: resolve };
  app.get('/held', async () => {
    held.count++;
    await promise;
    return {};
  });
  const { port } = new URL(await listen(app, { host, port: 0 }));
  return { app, port: Number(port), held };
}

async function connected(t: TestContext, port: number): Promise<Socket[]> {
  const clients = Array.from({ length: many }, () => connect(port, host).on('error', () => undefined));
  t.after(() => clients.forEach(client => void client.destroy()));
  await Promise.all(clients.map(client => once(client, 'connect')));
  return clients;
}
