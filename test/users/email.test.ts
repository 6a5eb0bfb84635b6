import assert from 'node:assert/strict';
import test from 'node:test';
import { canonicalEmail } from '../../src/users/email.ts';
import { startApp } from '../helpers/app.ts';

/** Which addresses are one and the same; also in docs/security.md. */
const canonical: readonly (readonly [given: string, canonical: string])[] = [
  ['ada@example.com', 'ada@example.com'],
  ['ADA@EXAMPLE.COM', 'ada@example.com'],
  ['ada+tag@example.com', 'ada+tag@example.com'],
  ["o'neill_{x}@example.com", "o'neill_{x}@example.com"],
  ['ada@Bücher.example', 'ada@xn--bcher-kva.example'],
  ['ada@bu\u0308cher.example', 'ada@xn--bcher-kva.example'],
  ['ada@XN--BCHER-KVA.example', 'ada@xn--bcher-kva.example'],
  ['ada@straße.example', 'ada@xn--strae-oqa.example'],
  ['jose\u0301@example.com', 'jos\u00e9@example.com'],
  ['JOS\u00c9@example.com', 'jos\u00e9@example.com'],
  ['stra\u00dfe@example.com', 'stra\u00dfe@example.com'],
  ['\u0130@example.com', 'i\u0307@example.com'],
  ['\u0131@example.com', '\u0131@example.com'],
  ['用户@例子.广告', '用户@xn--fsqu00a.xn--4rr70v'],
  [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
];

test('addresses that are one and the same have one canonical form', () => {
  for (const [given, expected] of canonical) assert.equal(canonicalEmail(given), expected, given);
});

test('the canonical form of a canonical form is itself', () => {
  for (const [, form] of canonical) assert.equal(canonicalEmail(form), form);
});

const refused: readonly string[] = [
  '',
  'ada',
  '@example.com',
  'ada@',
  'ada@example',
  'ada@@example.com',
  'ada@evil.com@example.com',
  'a@x.example,b@x.example',
  'a@x.example b@x.example',
  'a@x.example;b@x.example',
  'Ada <ada@example.com>',
  '<ada@example.com>',
  '"ada@evil.example"@example.com',
  '"ada"@example.com',
  'ada(comment)@example.com',
  'ada＠example.com',
  'ada@example。com\u0000',
  'ada@example.com\r\nBcc: eve@example.com',
  'ada@example.com\n',
  ' ada@example.com',
  'ada@example.com ',
  'a da@example.com',
  '.ada@example.com',
  'ada.@example.com',
  'a..da@example.com',
  'ada@.example.com',
  'ada@example..com',
  'ada@example.com.',
  'ada@-example.com',
  'ada@example-.com',
  'ada@[127.0.0.1]',
  'ada@127.0.0.1',
  'ada@0x7f.1',
  'ada@example.com:25',
  'ada@example.com/path',
  'ada@example.com?x',
  'ada@exa%6dple.com',
  'ada@exa_mple.com',
  'ada\u200b@example.com',
  'ada\u0000@example.com',
  'ada\ud800@example.com',
  `${'a'.repeat(65)}@example.com`,
  `ada@${'a'.repeat(64)}.com`,
  `${'a'.repeat(64)}@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}.example`,
];

test('what is not one address is refused, and nothing is stored', async t => {
  const app = await startApp(t);
  for (const email of refused) {
    assert.equal(canonicalEmail(email), undefined, JSON.stringify(email));
    const { status, body } = await app.post('/users', { email, password: 'a very good passphrase' });
    assert.equal(status, 422, JSON.stringify(email));
    assert.ok(body.errors.every((fault: { pointer: string }) => fault.pointer === '/email'));
  }
  assert.deepEqual(await app.world.database.db.selectFrom('users').select('id').execute(), []);
});

test('an address is stored as given and found in any spelling', async t => {
  const app = await startApp(t);
  const password = 'a very good passphrase';
  const { body } = await app.post('/users', { email: 'Ada@Bücher.example', password });
  assert.equal(body.email, 'Ada@Bücher.example');
  const taken = await app.post('/users', { email: 'ada@xn--bcher-kva.example', password });
  assert.equal(taken.status, 409);
  await app.login({ email: 'ADA@xn--bcher-kva.EXAMPLE', password });
});
