import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { buildApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { maxLarge } from '../../src/docs.ts';
import { fixedLimits, type Limits } from '../../src/server.ts';
import { startApp } from '../helpers/app.ts';
import { Client } from '../helpers/client.ts';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
const post = 'POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

/** How a client holds on: what it sends at once, and what over and over. A reader that takes nothing sends no more. */
const ways: readonly (readonly [name: string, first: string, drip: string])[] = [
  ['says nothing', '', ''],
  ['sends its headers one by one', 'GET /me HTTP/1.1\r\nhost: x\r\n', 'x: y\r\n'],
  ['sends its body byte by byte', `${post}content-length: 10000\r\n\r\n`, ' '],
  ['sends its body in small chunks', `${post}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
  ['never sends its body', `${post}content-length: 10\r\n\r\n`, ''],
  ['sends a body that nobody wants', 'PATCH /me HTTP/1.1\r\nhost: x\r\ncontent-length: 10000\r\n\r\n', 'x'],
  ['takes no answer', get('/large'), ''],
  ['is idle after its request', get('/health/live'), ''],
];

const short: Partial<Limits> = {
  headersTimeout: 700,
  requestTimeout: 800,
  stallTimeout: 100,
  lingerTimeout: 100,
  keepAliveTimeout: 200,
  checkEvery: 50,
};

test('of 200 clients each that is slow is cut off, and those beside are served', async t => {
  const { client, port, open } = await start(t, short);
  const { token } = await client.person();
  const ask = async () => assert.equal((await client.get('/me', { token })).status, 200);
  const ports = new Set<number | undefined>();
  for (const [, first, drip] of ways) {
    const slow = Array.from({ length: 25 }, () => hold(t, port, first, drip));
    await Promise.all(slow.map(socket => once(socket, 'connect')));
    for (const { localPort } of slow) ports.add(localPort);
    await ask();
  }
  const theirs = () => [...open].filter(({ remotePort }) => ports.has(remotePort));
  while (theirs().length > 0) await ask();
});

test('with the limits of an operator who has set none, the same clients are there still', async t => {
  const { client, port, open } = await start(t, {});
  const slow = ways.map(([, first, drip]) => hold(t, port, first, drip));
  while (open.size < ways.length) await client.get('/health/live');
  await new Promise(resolve => setTimeout(resolve, 1000));
  assert.ok(open.size >= ways.length);
  // A service that stops waits for them.
  for (const socket of slow) socket.destroy();
});

test('a slow header, body or reader is gone within 15 seconds, and an idle connection after 65', () => {
  const { headersTimeout, requestTimeout, stallTimeout, lingerTimeout, checkEvery } = fixedLimits;
  // It is told so, and may take its time to close.
  assert.ok(headersTimeout + checkEvery + lingerTimeout < 15_000);
  assert.ok(requestTimeout + checkEvery + lingerTimeout < 15_000);
  // One look finds it, another that its time is over.
  assert.ok(stallTimeout + 2 * checkEvery <= 15_000);
  assert.equal(readConfig({}).keepAliveTimeout, 65);
});

test('who takes an answer bit by bit has no longer than who takes nothing of it', async t => {
  const { port } = await start(t, short);
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write(get('/large'));
  await once(socket, 'readable');
  const taking = setInterval(() => socket.read(65_536), 20);
  t.after(() => clearInterval(taking));
  const reset = await once(socket, 'close').catch(error => error);
  assert.ok(socket.bytesRead < 1e7, `${socket.bytesRead} bytes`);
  // Otherwise the system would keep for it what it had taken.
  assert.equal(reset.code, 'ECONNRESET');
});

test('no more than 64 have a large answer at once; who is refused is not kept, and places come back', async t => {
  const { port, open, logged } = await start(t, {});
  const large = 'GET /docs/swagger-ui.js HTTP/1.1\r\nhost: x\r\n\r\n';
  const ask = (socket: Socket) => once(socket.on('error', () => undefined).end(large.repeat(3)), 'data');
  await ask(connect(port, '127.0.0.1'));
  const sockets = Array.from({ length: 200 }, () => connect(port, '127.0.0.1'));
  await Promise.all(sockets.map(socket => once(socket, 'connect')));
  while (open.size < sockets.length) await new Promise(setImmediate);
  const answers = (await Promise.all(sockets.map(ask))).map(String);
  const refused = answers.filter(answer => answer.startsWith('HTTP/1.1 503 '));
  assert.ok(refused.length > 0 && refused.length < 200, `${refused.length} were refused`);
  for (const answer of refused)
    assert.match(answer, /\r\nretry-after: 1\r\n[\s\S]*\r\nconnection: close\r\n/i);
  for (const socket of sockets) socket.destroy();
  while (open.size > 0) await new Promise(setImmediate);
  for (let count = 0; count < maxLarge; count++) {
    const socket = connect(port, '127.0.0.1');
    assert.match(String(await ask(socket)), /^HTTP\/1\.1 200 /);
    socket.destroy();
  }
  while (open.size > 0) await new Promise(setImmediate);
  // Of the three that each of them asked together.
  const begun = logged.filter(({ route }) => route === '/docs/swagger-ui.js').length;
  assert.equal(begun, 1 + sockets.length + maxLarge);
});

test('there are so many connections and no more, and idle ones make place', async t => {
  const { port, open, logged } = await start(t, { connections: 10, checkEvery: 50 });
  const idle = Array.from({ length: 10 }, () => hold(t, port, get('/health/live'), ''));
  await Promise.all(idle.map(socket => once(socket, 'data')));
  const refused = hold(t, port, get('/health/live'), '');
  await once(refused, 'close');
  assert.equal(refused.bytesRead, 0);
  while (open.size > 0) await new Promise(setImmediate);
  const served = hold(t, port, get('/health/live'), '');
  await once(served, 'data');
  const [line] = logged.filter(({ dropped }) => dropped !== undefined);
  assert.deepEqual([line?.['dropped'], line?.['connections']], [1, 10]);
});

test('a client that does not close after its last answer is cut off, and a service that stops does not wait for it', {
  timeout: 20_000,
}, async t => {
  for (const lingerTimeout of [50, 600_000]) {
    const { app, port, open } = await start(t, { lingerTimeout });
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    socket.write(`${post}content-length: 10000000\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 413 /);
    const [theirs] = open;
    if (lingerTimeout === 600_000) {
      await once(socket, 'end');
      assert.equal(theirs?.destroyed, false);
      await app.close();
    }
    while (open.size > 0) await new Promise(setImmediate);
  }
});

/** A connection that sends this, and then that again and again until it ends. */
function hold(t: TestContext, port: number, first: string, drip: string): Socket {
  // It reads at the beginning only, so that what comes later fills the buffers.
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write(first);
  const timer = drip === '' ? undefined : setInterval(() => socket.write(drip), 20);
  socket.on('close', () => clearInterval(timer));
  t.after(() => socket.destroy());
  return socket;
}

async function start(t: TestContext, limits: Partial<Limits>) {
  const { world, logged } = await startApp(t);
  const app = await buildApp({ ...world, limits });
  t.after(() => app.close());
  const open = new Set<Socket>();
  app.server.on('connection', socket => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  // More than the system takes for a client.
  app.get('/large', { config: { access: 'public' }, schema: { hide: true } }, () => Buffer.alloc(2e7));
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return { app, port, open, logged, client: new Client(`http://127.0.0.1:${port}`) };
}
