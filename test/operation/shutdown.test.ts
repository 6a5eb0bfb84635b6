import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Client } from '../helpers/client.ts';
import { serviceFolder } from '../helpers/database.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { ServiceProcess } from '../helpers/process.ts';

test('after SIGTERM it serves on, not ready, each answer the last of its connection', async t => {
  const { service, client } = await start(t, '300');
  const { token } = await client.person();
  const socket = await openConnection(client);
  service.child.kill('SIGTERM');
  while ((await client.get('/health/ready')).status === 200) await new Promise(setImmediate);
  // On a connection from before, and on new ones.
  assert.match(await ask(socket, '/health/live'), /^HTTP\/1\.1 200 .*^connection: close\r$/ims);
  assert.equal((await client.get('/health')).status, 200);
  assert.equal((await client.get('/health/live')).headers.get('connection'), 'close');
  assert.equal((await client.get('/me', { token })).status, 200);
  assert.equal((await client.request('PATCH', '/me', { token, json: { name: 'Ada' } })).status, 200);
});

test('it does so until the delay is over', async t => {
  const { service, client } = await start(t, '1');
  // Before the signal: afterwards the service may run first, and for a while.
  const began = performance.now();
  assert.equal((await service.stop('SIGTERM')).code, 0);
  assert.ok(performance.now() - began > 950);
  await assert.rejects(client.get('/health/live'));
});

test('while it drains, nothing is done for which there would be no answer', async t => {
  const { service, client } = await start(t, '300');
  const socket = await openConnection(client);
  service.child.kill('SIGTERM');
  while ((await client.get('/health/ready')).status === 200) await new Promise(setImmediate);
  const [first, second] = ['ada', 'bob'].map(name => {
    const body = JSON.stringify({ email: `${name}@example.com`, password: 'correct horse battery', name });
    const head = `host: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
    return { body, request: `POST /users HTTP/1.1\r\n${head}\r\n\r\n${body}` };
  });
  assert.ok(first && second);
  socket.write(first.request + second.request);
  const answers = (await socket.toArray()).join('');
  assert.deepEqual(answers.match(/^HTTP.*$/gm), ['HTTP/1.1 201 Created']);
  const again = await client.post('/users', JSON.parse(second.body));
  assert.equal(again.status, 201);
});

test('a second signal ends the process at once', async t => {
  const { service, client } = await start(t, '300');
  service.child.kill('SIGTERM');
  while ((await client.get('/health/ready')).status === 200) await new Promise(setImmediate);
  assert.equal((await service.stop('SIGTERM')).code, 1);
});

test('in development the second is the same Ctrl-C as the first, by way of the watcher', async t => {
  const settings = { NODE_ENV: 'development', DRAIN_DELAY: '0' };
  const service = new ServiceProcess(t, await serviceFolder(t), settings);
  const client = await service.client();
  const socket = await openConnection(client);
  socket.write('GET /health/live HTTP/1.1\r\n');
  service.child.kill('SIGINT');
  const isGone = (): Promise<boolean> =>
    client.get('/health/live').then(
      () => false,
      () => true,
    );
  while (!(await isGone())) await new Promise(setImmediate);
  service.child.kill('SIGTERM');
  socket.write('host: x\r\n\r\n');
  const [text] = await once(socket, 'data');
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.equal((await service.ended()).code, 0);
});

test('a person at a terminal, or one who has closed it, does not wait for the delay', async t => {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) {
    const { service } = await start(t, '300');
    assert.equal((await service.stop(signal)).code, 0, signal);
  }
});

test('a signal during the start is heard: it ends at once, by itself', async t => {
  const silent = createServer().listen(0, '127.0.0.1');
  t.after(() => silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const settings = {
    DATABASE_URL: `postgres://ada@127.0.0.1:${port}/plinth`,
    SECRET: randomBytes(32).toString('base64url'),
  };
  const service = new ServiceProcess(t, temporaryFolder(t), settings);
  // It has asked the database, and waits.
  const [socket] = await once(silent, 'connection');
  t.after(() => socket.destroy());
  assert.equal((await service.stop('SIGTERM')).code, 143);
});

test('a signal that comes just before it serves, while the event loop is busy, is heard too', async t => {
  // When it is about to listen: all that follows it, but for PostgreSQL, is done in one turn of the loop.
  const program = `
    import { Server } from 'node:net';
    const { listen } = Server.prototype;
    Server.prototype.listen = function (...options) {
      Server.prototype.listen = listen;
      process.kill(process.pid, 'SIGTERM');
      return listen.apply(this, options);
    };`;
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(program)}`];
  const { code } = await new ServiceProcess(t, await serviceFolder(t), {}, { flags }).ended();
  assert.ok(code === 0 || code === 143, `${code}`);
});

async function start(t: TestContext, drainDelay: string) {
  const service = new ServiceProcess(t, await serviceFolder(t), { DRAIN_DELAY: drainDelay });
  return { service, client: await service.client() };
}

async function openConnection({ url }: Client) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  assert.match(await ask(socket, '/health/live'), /^HTTP\/1\.1 200 .*^connection: keep-alive\r$/ims);
  return socket;
}

async function ask(socket: ReturnType<typeof connect>, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  const [text] = await once(socket, 'data');
  return text;
}

test('nobody has to read what it writes: with its outputs closed it serves and ends as ever', async t => {
  const service = new ServiceProcess(t, await serviceFolder(t));
  // Before it has written anything to it.
  service.child.stderr.destroy();
  const address = /"address":"([^"]+)"/;
  while (!address.test(service.stdout)) await once(service.child.stdout, 'data');
  const client = new Client(address.exec(service.stdout)?.[1] ?? '');
  service.child.stdout.destroy();
  for (let i = 0; i < 500; i++) assert.equal((await client.get('/health/live')).status, 200);
  assert.equal((await service.stop('SIGINT')).code, 0);
});
