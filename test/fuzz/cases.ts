import type { Description, Operation, Schema } from '../helpers/conformance.ts';

/** Draws from what a seed gives: the same seed, the same case. */
export class Draw {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  chance(part: number): boolean {
    return this.#random() < part;
  }

  from<Value>(values: readonly [Value, ...Value[]]): Value {
    return values[this.below(values.length)] ?? values[0];
  }
}

/** What a case may know of the service: who is logged in to it. */
export interface Known {
  readonly email: string;
  readonly password: string;
  readonly access: string;
  readonly refresh: string;
  readonly session: string;
}

/** A request by its parts, as a client would make it. */
interface Parts {
  method: string;
  path: string;
  headers: [name: string, value: string][];
  body: string | undefined;
}

/** A request of the document, or of none, changed once to six times: in its parts, then sometimes in its bytes. */
export function makeCase(document: Description, known: Known, draw: Draw): Buffer {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const [first, ...rest] = operations;
  if (!first) throw new Error('the document has no operations');
  const { method, path, operation } = draw.from([first, ...rest]);
  const parts = validParts(document, known, method, path, operation);
  for (let changes = draw.below(5); changes > 0; changes--) draw.from(partChanges)(parts, known, draw);
  let bytes = toBytes(parts, draw);
  if (draw.chance(0.3)) {
    for (let changes = 1 + draw.below(4); changes > 0; changes--) bytes = draw.from(byteChanges)(bytes, draw);
  }
  return bytes;
}

function validParts(
  document: Description,
  known: Known,
  method: string,
  path: string,
  { requestBody, security }: Operation,
): Parts {
  const headers: Parts['headers'] = [['host', 'plinth']];
  if (security.length > 0) headers.push(['authorization', `Bearer ${known.access}`]);
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  if (type) headers.push(['content-type', type]);
  const body = content && JSON.stringify(exampleOf(document, content.schema, known));
  return { method, path: path.replaceAll(/\{\w+\}/g, known.session), headers, body };
}

/** Like an example of the document, and with what is right for this person half of the time. */
function exampleOf(document: Description, schema: Schema, known: Known): Record<string, unknown> {
  const [, name = ''] = /^#\/components\/schemas\/(\w+)/.exec(String(schema['$ref'])) ?? [];
  const { properties = {} } = (document.components.schemas[name] ?? schema) as {
    properties?: Record<string, unknown>;
  };
  const values: Record<string, unknown> = {
    email: known.email,
    password: known.password,
    current_password: known.password,
    new_password: known.password,
    refresh_token: known.refresh,
    name: 'Ada',
  };
  return Object.fromEntries(Object.keys(properties).map(field => [field, values[field] ?? 'x']));
}

const strange: readonly [unknown, ...unknown[]] = [
  null,
  true,
  0,
  -1,
  1e308,
  [],
  {},
  '',
  ' ',
  'x'.repeat(300),
  'x'.repeat(17_000),
  '\0',
  '\ud800',
  '\u202e',
  '🦊',
  "' or 1=1 --",
  '__proto__',
  '{{7*7}}',
  '../../etc/passwd',
  '%00',
  '\r\nx: y',
  [[[[]]]],
  { $gt: '' },
  Number.MAX_SAFE_INTEGER,
  'ﬀ@ｅxample.com',
  'a@b.c',
  '$2b$04$',
];
const fields: readonly [string, ...string[]] = [
  'email',
  'password',
  'name',
  'refresh_token',
  'id',
  '__proto__',
  'constructor',
  'toString',
  '',
  '0',
  'grant_type',
  'username',
];
const headerNames: readonly [string, ...string[]] = [
  'authorization',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'content-length',
  'connection',
  'expect',
  'upgrade',
  'host',
  'origin',
  'x-request-id',
  'x-forwarded-for',
  'accept',
  'accept-version',
  'cookie',
  'if-none-match',
  'range',
  'te',
  'trailer',
  '__proto__',
  'constructor',
  'x-http-method-override',
  'user-agent',
  'access-control-request-method',
];
const headerValues: readonly [string, ...string[]] = [
  '',
  ' ',
  '*',
  '0',
  '-1',
  '99999999999999999999',
  'chunked',
  'identity',
  'gzip',
  'close',
  'keep-alive',
  'upgrade',
  '100-continue',
  'null',
  'https://app.example',
  'application/json',
  'application/json; charset=utf-8',
  'application/x-www-form-urlencoded',
  'text/plain',
  'multipart/form-data; boundary=x',
  'Bearer',
  'Bearer x.y.z',
  'Basic YTpi',
  '127.0.0.1',
  '::ffff:1.2.3.4',
  'x'.repeat(5000),
  '\xff\xfe',
  'a\tb',
  '"',
  '"*"',
  'W/"x"',
  'bytes=0-1',
  ';',
  ',,,',
  'GET',
];
const paths: readonly [string, ...string[]] = [
  '/',
  '//',
  '/me',
  '/ME',
  '/me/',
  '/me//sessions',
  '/%6de',
  '/me%2fsessions',
  '/me/sessions/%00',
  '/me/sessions/x',
  '/docs/page.css',
  '/docs/../me',
  '/.well-known/',
  '/%',
  '/%ff',
  '/%c0%ae',
  '*',
  '',
  'me',
  'http://x/me',
  'http://x',
  'x:80',
  '/me?x=1',
  '/me?__proto__=1&__proto__[a]=b',
  '/me?%',
  '/me#x',
  `/${'x'.repeat(3000)}`,
  `/me/sessions/${'y'.repeat(200)}`,
  '/openapi.json',
  '/health/ready',
  '/users',
  '/\u00e9',
  '/me;x=y',
  '/me\\x',
];
const methods: readonly [string, ...string[]] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'QUERY',
  'get',
  'X',
  '',
];

type PartChange = (parts: Parts, known: Known, draw: Draw) => unknown;

const partChanges: readonly [PartChange, ...PartChange[]] = [
  (parts, _, draw) => Object.assign(parts, { method: draw.from(methods) }),
  (parts, _, draw) => Object.assign(parts, { path: draw.from(paths) }),
  (parts, _, draw) => Object.assign(parts, { path: parts.path + draw.from(paths) }),
  (parts, _, draw) => parts.headers.push([draw.from(headerNames), draw.from(headerValues)]),
  (parts, _, draw) => parts.headers.splice(draw.below(parts.headers.length), 1),
  (parts, _, draw) => {
    const header = parts.headers[draw.below(parts.headers.length)];
    if (header) header[1] = draw.from(headerValues);
  },
  (parts, known, draw) => {
    const token = draw.from([known.access, known.refresh, `${known.access}x`]);
    parts.headers.push(['authorization', `Bearer ${token}`]);
  },
  (parts, _, draw) => changeBody(parts, { [draw.from(fields)]: draw.from(strange) }),
  (parts, _, draw) => {
    const names = [...(parts.body ?? '').matchAll(/"(\w+)":/g)].map(([, name = '']) => name);
    changeBody(parts, { [names[draw.below(names.length)] ?? 'x']: draw.from(strange) });
  },
  (parts, _, draw) => changeBody(parts, { [draw.from(fields)]: undefined }),
  (parts, _, draw) => changeBody(parts, { email: `p${draw.below(1e9)}@example.com` }),
  (parts, _, draw) => changeBody(parts, { password: `another good one ${draw.below(1e9)}` }),
  (parts, _, draw) => Object.assign(parts, { body: JSON.stringify(draw.from(strange)) }),
  (parts, _, draw) => Object.assign(parts, { body: `${parts.body ?? ''}${draw.from(endings)}` }),
  (parts, _, draw) => Object.assign(parts, { body: draw.from(openings).repeat(draw.below(6000)) }),
  parts => {
    const kept = parts.headers.filter(([name]) => name !== 'content-type');
    parts.headers = [...kept, ['content-type', 'application/x-www-form-urlencoded']];
    const pairs = Object.entries(objectOf(parts) ?? {}).map(([name, value]) => [name, String(value)]);
    parts.body = new URLSearchParams(pairs).toString();
  },
];
const endings: readonly [string, ...string[]] = ['}', '{', '[', '\0', ' ', ',"x":1}'];
const openings: readonly [string, ...string[]] = ['[', '{"a":', '"'];

/** Where the body is an object still; `undefined` takes a field out. */
function changeBody(parts: Parts, change: Readonly<Record<string, unknown>>): void {
  const body = objectOf(parts);
  if (body) parts.body = JSON.stringify({ ...body, ...change });
}

function objectOf({ body = '{}' }: Parts): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    // A change before has broken it.
    return undefined;
  }
}

function toBytes({ method, path, headers, body }: Parts, draw: Draw): Buffer {
  const all = [...headers];
  let payload = Buffer.from(body ?? '');
  if (body !== undefined) {
    if (draw.chance(0.15)) {
      all.push(['transfer-encoding', 'chunked']);
      payload = Buffer.concat([
        Buffer.from(`${payload.length.toString(16)}${draw.from(['', ';x', ';x="y"'])}\r\n`),
        payload,
        Buffer.from('\r\n0\r\n\r\n'),
      ]);
      if (Buffer.byteLength(body) === 0) payload = Buffer.from('0\r\n\r\n');
    } else {
      all.push(['content-length', String(payload.length + (draw.chance(0.03) ? draw.below(9) - 4 : 0))]);
    }
  }
  const version = draw.chance(0.02)
    ? draw.from(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'http/1.1', ''])
    : 'HTTP/1.1';
  const lines = [`${method} ${path} ${version}`, ...all.map(([name, value]) => `${name}: ${value}`), '\r\n'];
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), payload]);
}

type ByteChange = (bytes: Buffer, draw: Draw) => Buffer;

const byteChanges: readonly [ByteChange, ...ByteChange[]] = [
  (bytes, draw) => {
    const changed = Buffer.from(bytes);
    if (changed.length > 0) changed[draw.below(changed.length)] = draw.below(256);
    return changed;
  },
  (bytes, draw) => splice(bytes, draw.below(bytes.length + 1), 0, Buffer.from([draw.below(256)])),
  (bytes, draw) => splice(bytes, draw.below(bytes.length + 1), 1 + draw.below(8), Buffer.alloc(0)),
  (bytes, draw) =>
    splice(
      bytes,
      draw.below(bytes.length + 1),
      0,
      Buffer.from(draw.from(['\r\n', '\n', '\r', '\0', ' ', ':', '\t', '\r\n\r\n', '%', '\x7f'])),
    ),
  (bytes, draw) => bytes.subarray(0, draw.below(bytes.length + 1)),
  (bytes, draw) => {
    const at = draw.below(bytes.length + 1);
    return splice(bytes, at, 0, bytes.subarray(at, at + draw.below(200)));
  },
  (_, draw) => Buffer.from(Array.from({ length: draw.below(400) }, () => draw.below(256))),
];

function splice(bytes: Buffer, at: number, length: number, put: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + length)]);
}
