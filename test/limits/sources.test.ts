import assert from 'node:assert/strict';
import test from 'node:test';
import type { BcryptEngine } from '../../src/bcrypt/engine.ts';
import { fakeScheduler } from '../bcrypt/fake-threads.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import { sendRaw } from '../helpers/wire.ts';
import { failFrom, inMemory, logInFrom, proxied, tally, wrong } from './support.ts';

type Proxies = string | undefined;

/** What the service takes for the address of a caller, whose connection comes from 127.0.0.1. */
const addresses: readonly (readonly [name: string, proxies: Proxies, forwarded: string, address: string])[] =
  [
    ['nobody is trusted by default', undefined, '203.0.113.9', '127.0.0.1'],
    ['only who is named is', '192.0.2.0/24', '203.0.113.9', '127.0.0.1'],
    ['the one that the proxy has added', '127.0.0.1', '203.0.113.9', '203.0.113.9'],
    [
      'not the ones before it, which are the caller’s own',
      '127.0.0.1',
      '1.1.1.1, 203.0.113.9',
      '203.0.113.9',
    ],
    ['through a chain of proxies', '127.0.0.0/8,10.0.0.0/8', '1.1.1.1, 203.0.113.9, 10.1.2.3', '203.0.113.9'],
    ['a stranger between proxies ends the chain', '127.0.0.1,10.0.0.1', '10.0.0.1, 192.0.2.1', '192.0.2.1'],
    ['proxies alone', '127.0.0.1,10.0.0.1', '10.0.0.1', '10.0.0.1'],
    ['none at all', '127.0.0.1', '', '127.0.0.1'],
    ['no address', '127.0.0.1', 'unknown', '127.0.0.1'],
    ['no address before a good one', '127.0.0.1', 'unknown, 203.0.113.9', '203.0.113.9'],
    ['no address behind a good one', '127.0.0.1', '203.0.113.9, x', '127.0.0.1'],
    ['an empty one behind a good one', '127.0.0.1', '203.0.113.9, ', '127.0.0.1'],
    ['a number is no address', '127.0.0.1', '2130706433', '127.0.0.1'],
    ['nor is an octal one', '127.0.0.1', '0313.0.0161.011', '127.0.0.1'],
    ['nor half of one', '127.0.0.1', '10.1', '127.0.0.1'],
    ['nor what would make a line', '127.0.0.1', '203.0.113.9"},{"a":"', '127.0.0.1'],
    ['with a port', '127.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
    ['IPv4 as IPv6', '127.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['the same in hexadecimal', '127.0.0.1', '::FFFF:CB00:7109', '203.0.113.9'],
    ['the same at length', '127.0.0.1', '0:0:0:0:0:ffff:203.0.113.9', '203.0.113.9'],
    ['a proxy as IPv6 is one', '127.0.0.1,10.0.0.1', '203.0.113.9, ::ffff:10.0.0.1', '203.0.113.9'],
    ['IPv6', '127.0.0.1', '2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['IPv6 in brackets', '127.0.0.1', '[2001:db8::1]', '2001:db8::1'],
    ['IPv6 with a port', '127.0.0.1', '[2001:db8::1]:443', '2001:db8::1'],
    ['IPv6 with a zone', '127.0.0.1', 'fe80::1%eth0', 'fe80::1'],
    ['an IPv6 network trusts no IPv4 address', '127.0.0.1,::/1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['IPv6 proxies', '127.0.0.1,2001:db8:1::/48', '198.51.100.7, 2001:db8:1:2::3', '198.51.100.7'],
  ];

test('the address of a caller is never their own choice', async t => {
  const apps = new Map<Proxies, TestApp>();
  for (const [name, proxies, forwarded, address] of addresses) {
    const settings = { ...inMemory, ...(proxies !== undefined && { TRUSTED_PROXIES: proxies }) };
    const app = apps.get(proxies) ?? (await startApp(t, { settings }));
    apps.set(proxies, app);
    const { email, password } = await app.register();
    const headers = { 'x-forwarded-for': forwarded };
    const { body } = await app.post('/login', { email, password }, { headers });
    const { items } = (await app.get('/me/sessions', { token: body.access_token })).body;
    assert.equal(items[0].ip, address, name);
  }
});

/** One bucket: the second is refused when the first has used it up. */
const same: readonly (readonly [name: string, one: string, other: string])[] = [
  ['an address', '203.0.113.9', '203.0.113.9'],
  ['IPv4 as IPv6', '203.0.113.9', '::ffff:203.0.113.9'],
  ['the same in hexadecimal', '203.0.113.9', '::ffff:cb00:7109'],
  ['two of one /64', '2001:db8:0:1::1', '2001:db8:0:1:ffff:ffff:ffff:ffff'],
  ['the same of one /64', '2001:db8::1', '2001:0db8:0000:0000:0001::'],
  ['another left of it', '203.0.113.9', '192.0.2.1, 203.0.113.9'],
  ['another port', '203.0.113.9:1', '203.0.113.9:2'],
  ['no addresses', 'x', 'y'],
];
const different: readonly (readonly [name: string, one: string, other: string])[] = [
  ['two IPv4 addresses', '203.0.113.9', '203.0.113.10'],
  ['two IPv4 addresses as IPv6', '::ffff:203.0.113.9', '::ffff:203.0.113.10'],
  ['two of /64s side by side', '2001:db8:0:1::1', '2001:db8:0:2::1'],
  ['IPv4 and the IPv6 that ends alike', '203.0.113.9', '64:ff9b::cb00:7109'],
];

for (const [list, expected] of [
  [same, 429],
  [different, 401],
] as const) {
  test(`sources that are ${expected === 429 ? 'one' : 'two'}`, async t => {
    for (const [name, one, other] of list) {
      const app = await startApp(t, { settings: { ...proxied, ...inMemory, LOGIN_LIMIT_SOURCE: '3' } });
      for (let count = 0; count < 3; count++)
        assert.equal((await logInFrom(app, one, `nobody${count}@example.com`, wrong)).status, 401);
      assert.equal((await logInFrom(app, other, 'another@example.com', wrong)).status, expected, name);
    }
  });
}

/** Ten attempts at one account, each made to look like another. Those that reach the route are counted together. */
const disguises: readonly (readonly [
  name: string,
  vary: (app: TestApp, number: number) => Promise<number>,
])[] = [
  [
    'X-Forwarded-For of one’s own',
    async (app, number) => await attempt(app, { 'x-forwarded-for': `198.51.100.${number}` }),
  ],
  ['Forwarded', async (app, number) => await attempt(app, { forwarded: `for=198.51.100.${number}` })],
  [
    'other headers of proxies',
    async (app, number) =>
      await attempt(app, {
        'x-real-ip': `198.51.100.${number}`,
        'true-client-ip': `198.51.100.${number}`,
        'cf-connecting-ip': `198.51.100.${number}`,
        'x-client-ip': `198.51.100.${number}`,
      }),
  ],
  [
    'letter case of the address',
    async (app, number) =>
      await attempt(
        app,
        {},
        Array.from(email, (char, at) => ((number >> (at % 4)) & 1 ? char.toUpperCase() : char)).join(''),
      ),
  ],
  [
    'forms of the domain',
    async (app, number) =>
      await attempt(
        app,
        {},
        ['ada@bücher.example', 'ada@BÜCHER.example', 'ada@xn--bcher-kva.example'][number % 3],
      ),
  ],
  [
    'the form and JSON',
    async (app, number) =>
      number % 2
        ? await attempt(app)
        : (await app.request('POST', '/login', { form: { username: email, password: wrong } })).status,
  ],
  [
    'a query',
    async (app, number) => (await app.post(`/login?n=${number}`, { email, password: wrong })).status,
  ],
  ['user agents', async (app, number) => await attempt(app, { 'user-agent': `agent ${number}` })],
  ['request ids', async (app, number) => await attempt(app, { 'x-request-id': `id-${number}` })],
];
const email = 'ada@bücher.example';

async function attempt(app: TestApp, headers: Record<string, string> = {}, who = email): Promise<number> {
  return (await app.post('/login', { email: who, password: wrong }, { headers })).status;
}

test('nothing that a caller sends makes another bucket of it', async t => {
  for (const [name, vary] of disguises) {
    const app = await startApp(t, { settings: inMemory });
    const statuses: number[] = [];
    for (let number = 0; number < 14; number++) statuses.push(await vary(app, number));
    assert.equal(tally(statuses), '401 x 10, 429 x 4', name);
  }
});

test('no other form of the path leads to a login, nor does an additional field', async t => {
  const app = await startApp(t, { settings: inMemory });
  const body = JSON.stringify({ email, password: wrong });
  const paths = [
    '//login',
    '/login/',
    '/LOGIN',
    '/Login',
    '/./login',
    '/x/../login',
    '/login;a=b',
    '/%2flogin',
    '/login%20',
    '/login%00',
  ];
  for (const path of paths) {
    const { status } = await sendRaw(
      app,
      `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    assert.ok(status === 404 || status === 400, `${path}: ${status}`);
  }
  assert.equal((await app.post('/login', { email, password: wrong, username: 'x' })).status, 422);
  assert.equal((await app.post('/login', { email: [email], password: wrong })).status, 422);
  // The one other spelling that is the same path is the same bucket.
  await failFrom(app, email, 9, () => '');
  assert.equal((await app.post('/%6cogin', { email, password: wrong })).status, 401);
  assert.equal((await app.post('/login', { email, password: wrong })).status, 429);
});

/** What costs a hash and needs no session. */
const hashing: readonly (readonly [path: string, status: number])[] = [
  ['/login', 401],
  ['/users', 201],
];

for (const [path, status] of hashing) {
  test(`POST ${path} from one source fills a queue of its own: that of another is served next`, async t => {
    // One hash takes 100 ms, and nobody is to wait for longer than a second.
    const { scheduler, digest, thread, jobs } = fakeScheduler({ threads: 1, lanes: 1 });
    let asked = 0;
    const engine: BcryptEngine = {
      description: 'one lane',
      refusal: work => scheduler.refusal(work),
      digest(work) {
        asked++;
        return scheduler.digest(work);
      },
      close: () => scheduler.close(),
    };
    const app = await startApp(t, { engine, settings: { ...proxied, ...inMemory } });
    digest();
    thread(0).ready(0.16);
    const statuses: number[] = [];
    const send = async (from: string, email: string) => {
      const body = { email, password: 'a very good passphrase' };
      const answer = await app.post(path, body, { headers: { 'x-forwarded-for': from } });
      statuses.push(answer.status);
    };
    const served = async (count: number) => {
      while (statuses.length < count) await new Promise(setImmediate);
    };
    const flood = Array.from({ length: 30 }, (_, number) => send('192.0.2.1', `ada${number}@example.com`));
    await served(20);
    // Of the flood, ten wait and the rest has been answered.
    const ofFlood = asked;
    const other = send('192.0.2.2', 'grace@example.com');
    while (asked === ofFlood) await new Promise(setImmediate);
    thread(0).finish(1);
    assert.deepEqual(jobs(), [[2]]);
    thread(0).finish(2);
    await served(21);
    thread(0).finish(12);
    await other;
    assert.equal(tally(statuses), `${status} x 2, 503 x 20`);
    for (let id = 3; id <= 11; id++) thread(0).finish(id);
    await Promise.all(flood);
    assert.equal(tally(statuses), `${status} x 11, 503 x 20`);
  });
}
