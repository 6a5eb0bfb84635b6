import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { buildApp } from '../../src/app.ts';
import { startApp } from '../helpers/app.ts';
import { converse } from '../helpers/bytes.ts';

const body = '{"a":1}';
const chunks = `7\r\n${body}\r\n0\r\n\r\n`;
const chunked = 'transfer-encoding: chunked';
const length = `content-length: ${body.length}`;
const post = (headers: readonly string[], rest = ''): string =>
  `${['POST /login HTTP/1.1', 'host: x', 'content-type: application/json', ...headers].join('\r\n')}\r\n\r\n${rest}`;
const inChunks = (from: string, to: string): string => post([chunked], chunks.replace(from, to));
const get = (line = 'GET /health/live HTTP/1.1', headers = 'host: x\r\n'): string =>
  `${line}\r\n${headers}\r\n`;

/** Where one reader may see one request and another two. */
const ambiguous: readonly (readonly [name: string, bytes: string])[] = [
  ['a length and chunks', post([length, chunked], chunks)],
  ['chunks and a length', post([chunked, 'content-length: 4'], chunks)],
  ['two lengths', post([length, 'content-length: 0'], body)],
  ['one length twice', post([length, length], body)],
  ['a list of lengths', post(['content-length: 7, 7'], body)],
  ['a length with a sign', post(['content-length: +7'], body)],
  ['a negative length', post(['content-length: -1'], body)],
  ['a hexadecimal length', post(['content-length: 0x7'], body)],
  ['an empty length', post(['content-length:'])],
  ['a length with a space in it', post(['content-length: 0 7'], body)],
  ['a length beyond 64 bits', post(['content-length: 18446744073709551623'], body)],
  ['a coding that is not one', post(['transfer-encoding: identity'], body)],
  ['almost chunked', post(['transfer-encoding: xchunked'], chunks)],
  ['chunked and then not', post(['transfer-encoding: chunked, identity'], chunks)],
  ['chunked twice', post([chunked, chunked], chunks)],
  ['chunked twice in a list', post(['transfer-encoding: chunked, chunked'], chunks)],
  ['another coding in a header before', post(['transfer-encoding: identity', chunked], chunks)],
  ['a compressed coding', post(['transfer-encoding: gzip, chunked'], chunks)],
  ['a vertical tab before chunked', post(['transfer-encoding: \x0bchunked'], chunks)],
  ['chunked in quotes', post(['transfer-encoding: "chunked"'], chunks)],
  ['a comma after chunked', post(['transfer-encoding: chunked,'], chunks)],
  ['a parameter of chunked', post(['transfer-encoding: chunked;q=1'], chunks)],
  ['a NUL after chunked', post(['transfer-encoding: chunked\0'], chunks)],
  ['no coding', post(['transfer-encoding:'], chunks)],
  ['a space before a colon', post(['transfer-encoding : chunked'], chunks)],
  ['a space before the colon of a length', post([`content-length : 7`], body)],
  ['a folded header', post(['x: a\r\n b', length], body)],
  ['a folded coding', post(['transfer-encoding:\r\n\tchunked'], chunks)],
  ['a space before the first header', post([length], body).replace('host', ' host')],
  ['a header without a colon', post(['x', length], body)],
  ['a bare LF after the request line', post([length], body).replace('1.1\r\n', '1.1\n')],
  ['a bare LF after a header', post([length], body).replace('host: x\r\n', 'host: x\n')],
  ['bare LFs after the headers', post([length], body).replace('\r\n\r\n', '\n\n')],
  ['a bare CR after a header', post([length], body).replace('host: x\r\n', 'host: x\r')],
  ['a NUL in a header', post(['x: a\0b', length], body)],
  ['a hexadecimal size', inChunks('7', '0x7')],
  ['a size with a sign', inChunks('7', '+7')],
  ['a negative size', inChunks('7', '-7')],
  ['a space before a size', inChunks('7', ' 7')],
  ['a space after a size', inChunks('7', '7 ')],
  ['a size beyond 64 bits', inChunks('7', '10000000000000007')],
  ['a bare LF after a size', inChunks('7\r\n', '7\n')],
  ['a bare LF after an extension', inChunks('7\r\n', '7;x\n')],
  ['a bare CR in an extension', inChunks('7\r\n', '7;x\ry\r\n')],
  ['a bare LF after a chunk', inChunks('}\r\n', '}\n')],
  ['nothing after a chunk', inChunks('}\r\n', '}')],
  ['bare LFs after the last chunk', inChunks('0\r\n\r\n', '0\n\n')],
  ['a length in a trailer', inChunks('0\r\n\r\n', '0\r\ncontent-length: 5\r\n\r\n')],
  ['chunks in HTTP/1.0', post([chunked, 'connection: keep-alive'], chunks).replace('1.1', '1.0')],
  ['a tab in the request line', get('GET\t/health/live HTTP/1.1')],
  ['a bare CR in the path', get('GET /health\r/live HTTP/1.1')],
  ['a byte above 127 in the path', get('GET /h\xe9 HTTP/1.1')],
  ['a path after an asterisk', get('GET *health/live HTTP/1.1')],
  ['a path that cannot be decoded', get('GET /%zz HTTP/1.1')],
  ['HTTP/0.9', 'GET /health/live\r\n\r\n'],
  ['HTTP/1.2', get('GET /health/live HTTP/1.2')],
  ['HTTP/2.0', get('GET /health/live HTTP/2.0')],
  ['a method of RTSP', get('DESCRIBE /health/live RTSP/1.0')],
  ['one that would go on', get('PLAY * RTSP/1.0', 'host: x\r\nconnection: keep-alive\r\n')],
  ['one with a body', `${get('ANNOUNCE /login RTSP/1.0', `host: x\r\n${length}\r\n`)}${body}`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['two hosts', get(undefined, 'host: x\r\nhost: y\r\n')],
  ['a host with a space', get(undefined, 'host: x y\r\n')],
  ['a host with a path', get(undefined, 'host: x/y\r\n')],
  ['a tunnel', get('CONNECT x:443 HTTP/1.1')],
];

test('what could hide a second request is refused, alone, and the connection ends', async t => {
  const { port, served } = await start(t);
  for (const [name, bytes] of ambiguous) {
    await t.test(name, async () => {
      const text = await converse(port, bytes + get());
      assert.match(text, /^connection: close\r$/im);
      assert.match(text, /"code":"malformed_request"/);
      assert.deepEqual(statuses(text), [400]);
    });
  }
  assert.deepEqual(served(), []);
});

/** Odd, and with one meaning. */
const plain: readonly (readonly [name: string, bytes: string, statuses: readonly number[]])[] = [
  ['a length', post([length], body), [422]],
  ['zeros before a length', post(['content-length: 007'], body), [422]],
  ['chunks', post([chunked], chunks), [422]],
  ['chunked in capitals', post(['transfer-encoding: CHUNKED'], chunks), [422]],
  ['an extension', inChunks('7', '7;x="y"'), [422]],
  ['another header', post([length, 'transfer_encoding: chunked'], body), [422]],
  ['an expected 100', post([length, 'expect: 100-continue'], body), [100, 422]],
  ['another expectation', post([length, 'expect: the-unexpected'], body), [422]],
  ['empty lines before', `\r\n\r\n${get()}`, [200]],
  ['a body where none is read', get(undefined, `host: x\r\n${length}\r\n`) + body, [200]],
  ['the asterisk form', get('OPTIONS * HTTP/1.1'), [404]],
  ['TRACE', get('TRACE /me HTTP/1.1'), [405]],
];

test('what has one meaning is served, and so is the request after it', async t => {
  const { port } = await start(t);
  for (const [name, bytes, expected] of plain) {
    await t.test(name, async () => {
      const text = await converse(port, bytes + get(undefined, 'host: x\r\nconnection: close\r\n'));
      assert.deepEqual(statuses(text), [...expected, 200]);
    });
  }
});

test('an answer that is due is given before the connection ends for what came after its request', async t => {
  const { port } = await start(t);
  const registration = '{"email":"ada@example.com","password":"a very good passphrase"}';
  const register = `POST /users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${registration.length}\r\n\r\n${registration}`;
  assert.deepEqual(statuses(await converse(port, `${register}nonsense\r\n\r\n`)), [201]);
  const last = get(undefined, 'host: x\r\nconnection: close\r\n');
  assert.deepEqual(statuses(await converse(port, last + get())), [200]);
});

test('no other protocol is begun, and the connection ends', async t => {
  const { port } = await start(t);
  for (const protocol of ['websocket', 'h2c']) {
    const text = await converse(
      port,
      get(undefined, `host: x\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n`),
    );
    assert.deepEqual(statuses(text), [200]);
  }
});

/** Of whom it is clear by their headers alone that the body is not wanted. */
const refused: readonly (readonly [
  name: string,
  line: string,
  headers: readonly string[],
  status: number,
])[] = [
  ['too long', 'POST /login', ['content-type: application/json', 'content-length: 5000000'], 413],
  ['no credentials', 'PATCH /me', ['content-type: application/json', length], 401],
  ['a type that is not read', 'POST /login', ['content-type: text/plain', length], 415],
  ['no such path', 'POST /nothing', ['content-type: application/json', length], 404],
  ['no such method', 'PUT /me', ['content-type: application/json', chunked], 405],
  ['a malformed URL', 'POST /%', ['content-type: application/json', length], 400],
];

test('who asks before sending a body is told to only when it will be read, or gets the one answer, and the connection ends', async t => {
  const { app, port } = await start(t);
  for (const [name, line, headers, status] of refused) {
    const bytes = [`${line} HTTP/1.1`, 'host: x', 'expect: 100-continue', ...headers, '\r\n'].join('\r\n');
    const text = await converse(port, bytes);
    assert.deepEqual(statuses(text), [status], name);
    assert.match(text, /^connection: close\r$/im, name);
  }
  const asking = post([length, 'expect: 100-continue']);
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write(asking.replace('\r\n', '\r\nconnection: close\r\n'));
  assert.deepEqual(await once(socket, 'data'), ['HTTP/1.1 100 Continue\r\n\r\n']);
  socket.write(body);
  assert.deepEqual(statuses((await socket.toArray()).join('')), [422]);
  const old = asking.replace('HTTP/1.1', 'HTTP/1.0');
  assert.deepEqual(statuses(await converse(port, old + body)), [422], 'HTTP/1.0 has no 100');
  app.beginDrain();
  const last = await converse(port, asking + body);
  assert.deepEqual(statuses(last), [100, 422]);
  assert.match(last, /^connection: close\r$/im, 'the last while it drains');
});

function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
}

async function start(t: TestContext) {
  const { world, logged } = await startApp(t);
  const app = await buildApp(world);
  t.after(() => app.close());
  await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    app,
    port: (app.server.address() as AddressInfo).port,
    served: () => logged.filter(line => line['route'] === '/health/live' && line['status'] === 200),
  };
}
