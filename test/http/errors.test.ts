import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp } from '../helpers/app.ts';
import { sendRaw, type WireAnswer } from '../helpers/wire.ts';

function request(line: string, headers: readonly string[] = [], body: string | Uint8Array = ''): Buffer {
  const length = Buffer.byteLength(body) > 0 ? [`content-length: ${Buffer.byteLength(body)}`] : [];
  const head = [`${line} HTTP/1.1`, 'host: plinth', 'connection: close', ...headers, ...length].join('\r\n');
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
}

function post(body: string | Uint8Array, type = 'application/json'): Buffer {
  return request('POST /users', type === '' ? [] : [`content-type: ${type}`], body);
}

const registration = '{"email":"ada@example.com","password":"a very good passphrase"}';
const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

const table: readonly (readonly [name: string, bytes: string | Buffer, status: number, code: string])[] = [
  ['not JSON', post('{"email":'), 400, 'malformed_request'],
  ['an empty body', post(''), 400, 'malformed_request'],
  ['JSON with a byte order mark', post(`\ufeff${registration}`), 400, 'malformed_request'],
  ['not UTF-8', post(Buffer.from([0x22, 0xff, 0xfe, 0x22])), 400, 'malformed_request'],
  ['UTF-16', post(Buffer.from(registration, 'utf16le')), 400, 'malformed_request'],
  ['overlong UTF-8', post(Buffer.from([0x22, 0xc0, 0xaf, 0x22])), 400, 'malformed_request'],
  ['a name twice', post('{"email":"a@example.com","email":"b@example.com"}'), 400, 'malformed_request'],
  ['a name twice, once escaped', post('{"email":"a","\\u0065mail":"b"}'), 400, 'malformed_request'],
  ['a name twice, deep inside', post('{"a":[{"b":{"c":1,"d":"}","c":1}}]}'), 400, 'malformed_request'],
  ['__proto__', post('{"__proto__":{"admin":true}}'), 400, 'malformed_request'],
  ['__proto__, escaped', post('{"_\\u005fproto__":1}'), 400, 'malformed_request'],
  ['__proto__, deep inside', post('{"a":[{"__proto__" :1}]}'), 400, 'malformed_request'],
  ['21 levels', post(deep(21)), 400, 'malformed_request'],
  ['20 levels, which is only not a registration', post(deep(20)), 422, 'validation_failed'],
  ['8,000 levels', post(deep(8000)), 400, 'malformed_request'],
  ['two JSON values', post(`${registration} {}`), 400, 'malformed_request'],
  ['trailing text', post(`${registration};`), 400, 'malformed_request'],
  ['a single quote', post("{'email':1}"), 400, 'malformed_request'],
  ['a comment', post(`${registration}//`), 400, 'malformed_request'],
  ['NaN', post('{"email":NaN}'), 400, 'malformed_request'],
  ['a body of 16 KiB and one byte', post(`"${'x'.repeat(16_383)}"`), 413, 'payload_too_large'],
  ['a body of 16 KiB', post(`"${'x'.repeat(16_382)}"`), 422, 'validation_failed'],
  ['a chunked body without end', chunked(), 413, 'payload_too_large'],
  ['no media type', post(registration, ''), 415, 'unsupported_media_type'],
  ['text/plain', post(registration, 'text/plain'), 415, 'unsupported_media_type'],
  [
    'a form where none is taken',
    post('email=a', 'application/x-www-form-urlencoded'),
    415,
    'unsupported_media_type',
  ],
  ['multipart', post(registration, 'multipart/form-data; boundary=x'), 415, 'unsupported_media_type'],
  ['another charset', post(registration, 'application/json; charset=utf-16'), 415, 'unsupported_media_type'],
  ['another parameter', post(registration, 'application/json; x=y'), 415, 'unsupported_media_type'],
  ['a tab before text', post(registration, 'application/json\tx'), 415, 'unsupported_media_type'],
  [
    'trailing text in the type',
    post(registration, 'application/json garbage'),
    415,
    'unsupported_media_type',
  ],
  ['a longer type', post(registration, 'application/jsonx'), 415, 'unsupported_media_type'],
  ['a list of types', post(registration, 'text/plain, application/json'), 415, 'unsupported_media_type'],
  [
    'a compressed body',
    request('POST /users', ['content-type: application/json', 'content-encoding: gzip'], registration),
    415,
    'unsupported_media_type',
  ],
  [
    'two types',
    request('POST /users', ['content-type: application/json', 'content-type: text/plain'], registration),
    400,
    'malformed_request',
  ],
  ['the type in capitals', post(registration, 'APPLICATION/JSON'), 201, ''],
  ['a charset in capitals', post(registration, 'application/json;charset=UTF-8'), 409, 'email_taken'],
  ['a charset in quotes', post(registration, 'application/json; charset="utf-8"'), 409, 'email_taken'],
  ['a space before the type', post(registration, ' application/json'), 409, 'email_taken'],
  ['no such path', request('GET /nothing'), 404, 'not_found'],
  ['two slashes', request('GET //me'), 404, 'not_found'],
  ['a slash at the end', request('GET /me/'), 404, 'not_found'],
  ['another letter case', request('GET /ME'), 404, 'not_found'],
  ['a parameter in the path', request('GET /me;x'), 404, 'not_found'],
  ['an escaped slash', request('GET /me%2f'), 404, 'not_found'],
  ['an escaped letter is the letter', request('GET /%6de'), 401, 'unauthenticated'],
  ['a dot segment', request('GET /health/../me'), 404, 'not_found'],
  ['half an escape', request('GET /%'), 400, 'malformed_request'],
  ['an escape that is not UTF-8', request('GET /%ff'), 400, 'malformed_request'],
  ['the absolute form is the path in it', request('GET http://plinth/me'), 401, 'unauthenticated'],
  ['the absolute form of no path', request('GET http://plinth//me'), 404, 'not_found'],
  ['an authority where a path belongs', request('GET plinth:80'), 400, 'malformed_request'],
  ['a long path', request(`GET /${'x'.repeat(8000)}`), 404, 'not_found'],
  ['an unknown method of a known path', request('DELETE /me'), 405, 'method_not_allowed'],
  ['a rare method', request('PROPFIND /me'), 405, 'method_not_allowed'],
  ['QUERY without a media type', request('QUERY /me'), 405, 'method_not_allowed'],
  ['QUERY of an unknown path', request('QUERY /nothing'), 404, 'not_found'],
  ['TRACE', request('TRACE /me'), 405, 'method_not_allowed'],
  ['OPTIONS without CORS', request('OPTIONS /me'), 405, 'method_not_allowed'],
  ['a method override', request('POST /me', ['x-http-method-override: PATCH']), 405, 'method_not_allowed'],
  ['a rare method of an unknown path', request('PROPFIND /nothing'), 404, 'not_found'],
  ['a method that HTTP does not have', request('FETCH /me'), 400, 'malformed_request'],
  ['no HTTP at all', 'hello\r\n\r\n', 400, 'malformed_request'],
  ['HTTP/1.1 without a host', 'GET /me HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'malformed_request'],
  ['a header without a name', request('GET /me', [': x']), 400, 'malformed_request'],
  ['a header with a NUL', request('GET /me', ['x: a\0b']), 400, 'malformed_request'],
  ['a header folded over two lines', request('GET /me', ['x: a\r\n b']), 400, 'malformed_request'],
  [
    'two lengths',
    request('POST /users', ['content-length: 1', 'content-length: 2']),
    400,
    'malformed_request',
  ],
  [
    'a length and chunks',
    request('POST /users', ['content-length: 3', 'transfer-encoding: chunked'], 'x'),
    400,
    'malformed_request',
  ],
  ['headers of 17 KiB', request('GET /me', [`x: ${'y'.repeat(17_000)}`]), 431, 'headers_too_large'],
  ['a header named __proto__', request('GET /me', ['__proto__: x']), 401, 'unauthenticated'],
  [
    'two Authorization headers',
    request('GET /me', ['authorization: Bearer x', 'authorization: Bearer y']),
    400,
    'malformed_request',
  ],
  [
    'its name as a value',
    request('GET /me', ['authorization: Bearer x', 'x: Authorization']),
    401,
    'invalid_token',
  ],
  ['no credentials', request('GET /me'), 401, 'unauthenticated'],
  ['another scheme', request('GET /me', ['authorization: Basic YTpi']), 401, 'unauthenticated'],
  ['an empty scheme', request('GET /me', ['authorization:']), 401, 'unauthenticated'],
  ['a token in the query', request('GET /me?access_token=x'), 401, 'unauthenticated'],
  ['Bearer and nothing', request('GET /me', ['authorization: Bearer']), 401, 'invalid_token'],
  ['Bearer and spaces', request('GET /me', ['authorization: Bearer   ']), 401, 'invalid_token'],
  ['Bearer and an escape', request('GET /me', ['authorization: Bearer %']), 401, 'invalid_token'],
  ['Bearer and bytes', request('GET /me', ['authorization: Bearer \xff\xfe']), 401, 'invalid_token'],
  [
    'Bearer and 12 KiB',
    request('GET /me', [`authorization: Bearer ${'x'.repeat(12_000)}`]),
    401,
    'invalid_token',
  ],
  [
    'no credentials and a bad body: the first counts',
    request('PATCH /me', ['content-type: text/plain'], '{'),
    401,
    'unauthenticated',
  ],
];

test('every error, parser and router included, is a problem of the contract', async t => {
  const app = await startApp(t);
  for (const [name, bytes, status, code] of table) {
    await t.test(name, async () => {
      const answer = await sendRaw(app, bytes);
      assert.deepEqual([answer.status, answer.body?.code ?? ''], [status, code || (answer.body?.code ?? '')]);
      checkHeaders(answer);
      if (status >= 400) checkProblem(answer);
    });
  }
  assert.equal((await app.get('/health')).status, 200);
  assert.ok(!app.logged.some(line => Number(line['level']) >= 50), 'something was unforeseen');
});

function checkHeaders({ headers }: WireAnswer): void {
  assert.match(headers['x-request-id'] ?? '', /^[A-Za-z0-9._-]{1,64}$/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'");
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
  for (const name of ['server', 'x-powered-by', 'access-control-allow-origin'])
    assert.equal(headers[name], undefined);
}

function checkProblem({ status, headers, body, text }: WireAnswer): void {
  assert.match(headers['content-type'] ?? '', /^application\/problem\+json/);
  assert.equal(body.type, `urn:plinth:problem:${body.code}`);
  assert.equal(body.status, status);
  assert.equal(body.instance, `urn:plinth:request:${headers['x-request-id']}`);
  assert.equal(typeof body.title, 'string');
  assert.equal(typeof body.detail, 'string');
  assert.doesNotMatch(text, /node_modules|\.ts|\bat \w+ \(|sqlite|select |fastify/i);
  if (status === 405) assert.match(headers['allow'] ?? '', /^[A-Z]+(, [A-Z]+)*$/);
  if (status === 503) assert.match(headers['retry-after'] ?? '', /^[1-9]\d*$/);
  if (status === 401 && body.code === 'unauthenticated')
    assert.equal(headers['www-authenticate'], 'Bearer realm="plinth"');
  if (body.code === 'invalid_token') {
    assert.equal(headers['www-authenticate'], 'Bearer realm="plinth", error="invalid_token"');
  }
}

test('what is unforeseen is a 500 that says nothing, and a log line that says all', async t => {
  const app = await startApp(t, { engine: { description: '', digest: fail, close: async () => undefined } });
  const { status, body, text } = await app.post('/users', JSON.parse(registration));
  assert.deepEqual([status, body.code], [500, 'internal']);
  assert.doesNotMatch(text, /the cause of it/);
  const [line] = app.logged.filter(({ msg }) => msg === 'internal error');
  assert.match(JSON.stringify(line), /the cause of it/);
  assert.equal(`urn:plinth:request:${line?.['request_id']}`, body.instance);
});

test('a well-formed request id is kept, any other is replaced', async t => {
  const app = await startApp(t);
  const idFor = async (id: string) =>
    (await app.get('/health', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
  assert.equal(await idFor('order-4711_a.b'), 'order-4711_a.b');
  for (const id of ['', ' ', 'a b', 'x'.repeat(65), '{"a":1}', 'é']) assert.notEqual(await idFor(id), id);
  const { headers } = await sendRaw(app, request('GET /health', ['x-request-id: a', 'x-request-id: b']));
  assert.match(headers['x-request-id'] ?? '', /^[A-Za-z0-9._-]{1,64}$/);
});

test('HEAD answers as GET without a body', async t => {
  const app = await startApp(t);
  const { status, text } = await app.request('HEAD', '/health');
  assert.deepEqual([status, text], [200, '']);
  assert.equal((await app.request('HEAD', '/me')).status, 401);
});

async function fail(): Promise<Uint8Array> {
  throw new Error('the cause of it');
}

/** More than the limit, in chunks, and never the last one. */
function chunked(): Buffer {
  const head = request('POST /users', ['content-type: application/json', 'transfer-encoding: chunked']);
  return Buffer.concat([head, Buffer.from(`1000\r\n${'x'.repeat(4096)}\r\n`.repeat(5))]);
}
