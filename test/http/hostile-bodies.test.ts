import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildApp } from '../../src/app.ts';
import { startApp } from '../helpers/app.ts';
import { converse, pour } from '../helpers/bytes.ts';
import { sendRaw } from '../helpers/wire.ts';

const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`;
const head = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'host: plinth', ...headers, '\r\n'].join('\r\n');
const json = 'content-type: application/json';
const chunked = 'transfer-encoding: chunked';
const tenGigabytes = 'content-length: 10000000000';

/** Without end: what the first bytes are, what follows over and over, and how the answer begins. */
const endless: readonly (readonly [name: string, first: string, again: string, answer: RegExp])[] = [
  ['a registration in chunks', head('POST /users', json, chunked), chunk, /^HTTP\/1\.1 413 /],
  [
    'a registration in chunks of one byte',
    head('POST /users', json, chunked),
    '1\r\nx\r\n',
    /^HTTP\/1\.1 413 /,
  ],
  ['a registration of 10 GB', head('POST /users', json, tenGigabytes), 'x', /^HTTP\/1\.1 413 /],
  [
    'a login form',
    head('POST /login', 'content-type: application/x-www-form-urlencoded', chunked),
    chunk,
    /^HTTP\/1\.1 413 /,
  ],
  [
    'a type that is not read',
    head('POST /users', 'content-type: multipart/form-data; boundary=x', chunked),
    chunk,
    /^HTTP\/1\.1 415 /,
  ],
  [
    'a compressed body',
    head('POST /users', json, 'content-encoding: gzip', chunked),
    chunk,
    /^HTTP\/1\.1 415 /,
  ],
  ['a body without credentials', head('PATCH /me', json, chunked), chunk, /^HTTP\/1\.1 401 /],
  ['a body of 10 GB without credentials', head('PATCH /me', json, tenGigabytes), 'x', /^HTTP\/1\.1 413 /],
  ['a body where none is read', head('GET /health', chunked), chunk, /^HTTP\/1\.1 (200|413) /],
  ['a body of 10 GB where none is read', head('GET /health', tenGigabytes), 'x', /^HTTP\/1\.1 413 /],
  ['a body for nobody', head('POST /nothing', json, chunked), chunk, /^HTTP\/1\.1 404 /],
  ['a body by a method that is not there', head('PUT /users', json, chunked), chunk, /^HTTP\/1\.1 405 /],
  ['a body for a malformed URL', head('POST /%', json, chunked), chunk, /^HTTP\/1\.1 400 /],
  ['the extensions of a chunk', `${head('POST /users', json, chunked)}1;`, 'x', /^HTTP\/1\.1 413 /],
  [
    'small extensions of many chunks',
    head('POST /users', json, chunked),
    `1;${'x'.repeat(4000)}\r\nx\r\n`,
    /^HTTP\/1\.1 413 /,
  ],
  ['a trailer', `${head('POST /users', json, chunked)}0\r\nx: `, 'y', /^HTTP\/1\.1 431 /],
  ['a header', 'GET /health HTTP/1.1\r\nx: ', 'y', /^HTTP\/1\.1 431 /],
  ['headers', 'GET /health HTTP/1.1\r\n', 'x: y\r\n', /^HTTP\/1\.1 431 /],
  ['a path', 'GET /', 'x', /^HTTP\/1\.1 431 /],
  ['a method', '', 'X', /^HTTP\/1\.1 400 /],
  ['a number of a chunk', head('POST /users', json, chunked), '0', /^HTTP\/1\.1 4/],
];

test('of what has no end no more than the limit and three reads of the socket are looked at, and the connection ends', async t => {
  const { port, taken } = await countingApp(t);
  for (const [name, first, again, expected] of endless) {
    await t.test(name, async () => {
      const before = taken();
      const { answer } = await pour(port, first, again);
      assert.match(answer, expected);
      const bytes = taken() - before - first.length;
      assert.ok(bytes <= 16_384 + 3 * 65_536, `${bytes} bytes were read`);
    });
  }
});

/** Refused at once, whatever is still to come. */
const early: readonly (readonly [name: string, head: string, status: number])[] = [
  ['too long', head('POST /users', json, 'content-length: 5000000'), 413],
  ['too long in chunks', head('POST /users', json, chunked), 413],
  ['no credentials', head('PATCH /me', json, chunked), 401],
  ['the last by its own word', head('PATCH /me', json, 'connection: close', 'content-length: 16384'), 401],
  ['a type that is not read', head('POST /users', 'content-type: text/plain', chunked), 415],
  ['a malformed URL', head('POST /%', json, chunked), 400],
  ['not HTTP', head('POST /users', json, chunked, 'content-length: 1'), 400],
  ['a long header', head('POST /users', `x: ${'y'.repeat(17_000)}`), 431],
];

test('the answer reaches a client that reads once it has sent all, and what it sent after that is no request', async t => {
  const { port, logged } = await countingApp(t);
  const body = Buffer.from(chunk.repeat(5_000_000 / chunk.length));
  for (const [name, first, status] of early) {
    await t.test(name, async () => {
      const socket = connect(port, '127.0.0.1');
      socket.write(first);
      await new Promise((resolve, reject) => {
        socket.once('error', reject);
        socket.write(body);
        socket.write(head('GET /health/live'), resolve);
      });
      let text = '';
      for await (const part of socket) text += part;
      assert.deepEqual(statuses(text), [status]);
    });
  }
  assert.ok(logged.every(({ route }) => route !== '/health/live'));
});

test('of what comes after the last answer 8 MiB are thrown away, and then the connection is cut', async t => {
  const { port, app } = await countingApp(t);
  const connection = once(app.server, 'connection');
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
  socket.write(head('POST /users', json, tenGigabytes));
  const push = (): void => {
    while (socket.write(chunk));
  };
  socket.on('drain', push).resume();
  push();
  const [theirs] = await connection;
  await new Promise(resolve => socket.on('close', resolve));
  assert.ok(theirs.bytesRead <= 8 * 1024 ** 2 + 3 * 65_536, `${theirs.bytesRead} bytes were read`);
});

const object = (fields: number): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: fields }, (_, i) => [String(i * 65_536), 0])));
const form = Array.from({ length: 2000 }, (_, i) => `f${i}`).join('&');

/** Within the limit of a body, and made to cost more than their bytes. */
const costly: readonly (readonly [name: string, type: string, body: string | Uint8Array, status: number])[] =
  [
    ['a million levels, as many as there is room for', 'application/json', '['.repeat(16_000), 400],
    ['objects in objects', 'application/json', '{"a":'.repeat(3000), 400],
    ['closed again', 'application/json', '['.repeat(8000) + ']'.repeat(8000), 400],
    ['names that look like numbers', 'application/json', object(1000), 422],
    ['a number of 16,000 digits', 'application/json', '9'.repeat(16_000), 422],
    ['an exponent without end', 'application/json', `1e${'9'.repeat(16_000)}`, 422],
    ['backslashes', 'application/json', `"${'\\\\'.repeat(8000)}"`, 422],
    ['spaces', 'application/json', `{"email":${' '.repeat(16_000)}1}`, 422],
    ['a form of 2,000 fields', 'application/x-www-form-urlencoded', form, 415],
    ['a zip bomb', 'application/gzip', gzipSync(Buffer.alloc(10_000_000)), 415],
    ['parts', 'multipart/form-data; boundary=x', '--x\r\n\r\n\r\n'.repeat(1000), 415],
  ];

test('what costs more than its bytes is refused, and the connection serves the next', async t => {
  const app = await startApp(t);
  for (const [name, type, body, status] of costly) {
    await t.test(name, async () => {
      const start = process.cpuUsage();
      const answer = await app.request('POST', '/users', {
        headers: { 'content-type': type },
        body: body as string,
      });
      const { user } = process.cpuUsage(start);
      assert.equal(answer.status, status);
      assert.ok(user < 1_000_000, `${user} µs`);
    });
  }
  assert.equal(
    (
      await app.request('POST', '/login', {
        form: Object.fromEntries(form.split('&').map(name => [name, ''])),
      })
    ).status,
    422,
  );
});

test('100 headers are served, and one more is not', async t => {
  const app = await startApp(t);
  const headers = (count: number): string[] => Array.from({ length: count - 2 }, (_, i) => `x${i}: y`);
  const ask = (count: number) => sendRaw(app, head('GET /health', 'connection: close', ...headers(count)));
  assert.equal((await ask(100)).status, 200);
  const { status, body } = await ask(101);
  assert.deepEqual([status, body.code], [431, 'headers_too_large']);
  // Behind so many that Node itself would have dropped it.
  const hidden = head(
    'GET /me',
    'connection: close',
    ...Array.from({ length: 2000 }, () => 'x:'),
    'authorization: Bearer x',
  );
  assert.equal((await sendRaw(app, hidden)).status, 431);
});

test('a body in chunks that was read leaves the connection open', async t => {
  const { port } = await countingApp(t);
  const login = '{"email":"nobody@example.com","password":"a very good passphrase"}';
  const one = `${head('POST /login', json, chunked)}${login.length.toString(16)}\r\n${login}\r\n0\r\n\r\n`;
  const last = head('GET /health', 'connection: close');
  const text = await converse(port, one + last);
  assert.deepEqual(statuses(text), [401, 200]);
});

function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
}

/** A service that says how many bytes it had read of connections when it had said the last word on them. */
async function countingApp(t: TestContext) {
  const { world, logged } = await startApp(t);
  const app = await buildApp(world);
  t.after(() => app.close());
  let bytes = 0;
  app.server.on('connection', socket => {
    const count = (): void => {
      bytes += socket.bytesRead;
      socket.off('prefinish', count).off('close', count);
    };
    socket.on('prefinish', count).on('close', count);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, logged, port: (app.server.address() as AddressInfo).port, taken: () => bytes };
}
