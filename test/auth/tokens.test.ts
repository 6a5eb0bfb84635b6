import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { connect } from 'node:net';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { exportJWK, exportSPKI, generateKeyPair } from 'jose';
import { buildApp } from '../../src/app.ts';
import { type Keyring, openKeyring } from '../../src/auth/keyring.ts';
import { createAccessTokens } from '../../src/auth/tokens.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import { trapOutbound } from '../helpers/outbound.ts';
import { alternate } from './alternation.ts';

/** A forger who has everything but the private key: and for the tokens that must pass, that too. */
interface Forge {
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  readonly good: string;
  readonly token: (header: unknown, claims: unknown) => string;
  readonly publicKey: { readonly pem: string; readonly der: Buffer; readonly jwk: string };
}

type Make = (forge: Forge) => string;

const now = (): number => Math.floor(Date.now() / 1000);
const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const withHeader =
  (changes: Record<string, unknown>): Make =>
  ({ header, claims, token }) =>
    token({ ...header, ...changes }, claims);
const withClaims =
  (changes: Record<string, unknown>): Make =>
  ({ header, claims, token }) =>
    token(header, { ...claims, ...changes });
const without =
  (name: string): Make =>
  ({ header, claims, token }) =>
    token(header, Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name)));
const hmac =
  (key: (forge: Forge) => string | Buffer, alg = 'HS256'): Make =>
  forge => {
    const input = `${encode({ ...forge.header, alg })}.${encode(forge.claims)}`;
    return `${input}.${createHmac('sha256', key(forge)).update(input).digest('base64url')}`;
  };
const unsigned =
  (alg: string): Make =>
  ({ header, claims }) =>
    `${encode({ ...header, alg })}.${encode(claims)}.`;

/** Nobody listens there, and it is none of the ports that `fetch` refuses to try. */
const nobody = 'http://127.0.0.1:10';

const hostile: readonly (readonly [name: string, make: Make])[] = [
  ['alg none', unsigned('none')],
  ['alg None', unsigned('None')],
  ['alg nOnE', unsigned('nOnE')],
  ['alg NONE with a signature', withHeader({ alg: 'NONE' })],
  ['alg empty', withHeader({ alg: '' })],
  ['alg as a list', withHeader({ alg: ['ES256'] })],
  ['alg in lower case', withHeader({ alg: 'es256' })],
  ['HS256 with the public key as PEM', hmac(({ publicKey }) => publicKey.pem)],
  ['HS256 with the PEM, trimmed', hmac(({ publicKey }) => publicKey.pem.trim())],
  ['HS256 with a space before the PEM', hmac(({ publicKey }) => ` ${publicKey.pem}`)],
  ['HS256 with the public key as DER', hmac(({ publicKey }) => publicKey.der)],
  ['HS256 with the public key as JWK', hmac(({ publicKey }) => publicKey.jwk)],
  ['HS256 with an empty key', hmac(() => '')],
  ['HS512 with the PEM', hmac(({ publicKey }) => publicKey.pem, 'HS512')],
  ['alg RS256', withHeader({ alg: 'RS256' })],
  ['alg ES384', withHeader({ alg: 'ES384' })],
  ['alg PS256', withHeader({ alg: 'PS256' })],
  ['alg EdDSA', withHeader({ alg: 'EdDSA' })],
  ['crit', withHeader({ crit: ['x'], x: 1 })],
  ['crit, empty', withHeader({ crit: [] })],
  ['b64 false', withHeader({ b64: false, crit: ['b64'] })],
  ['an embedded jwk', withHeader({ jwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' } })],
  ['jku', withHeader({ jku: `${nobody}/jwks.json` })],
  ['x5u', withHeader({ x5u: `${nobody}/cert` })],
  ['x5c', withHeader({ x5c: ['MIIB'] })],
  ['zip', withHeader({ zip: 'DEF' })],
  ['cty', withHeader({ cty: 'JWT' })],
  ['typ JWT', withHeader({ typ: 'JWT' })],
  ['typ with its long name', withHeader({ typ: 'application/at+jwt' })],
  ['typ in capitals', withHeader({ typ: 'AT+JWT' })],
  ['no typ', withHeader({ typ: undefined })],
  ['no kid', withHeader({ kid: undefined })],
  ['kid empty', withHeader({ kid: '' })],
  ['kid of another key', withHeader({ kid: 'another' })],
  ['kid as a path', withHeader({ kid: '../../../../dev/null' })],
  ['kid as SQL', withHeader({ kid: "' or 1=1 --" })],
  [
    'kid __proto__',
    ({ claims, token, header }) =>
      token(JSON.stringify(header).replace(/"kid":"[^"]*"/, '"kid":"__proto__"'), claims),
  ],
  ['kid constructor', withHeader({ kid: 'constructor' })],
  ['kid as an object', withHeader({ kid: {} })],
  ['kid of 64 KiB', withHeader({ kid: 'x'.repeat(65_536) })],
  ['kid of 3 KiB', withHeader({ kid: 'x'.repeat(2500) })],
  ['a header that is a list', ({ claims, token }) => token([], claims)],
  ['a header that is not JSON', ({ claims, token }) => token('{', claims)],
  ['two parts', ({ good }) => good.split('.').slice(0, 2).join('.')],
  ['four parts', ({ good }) => `${good}.x`],
  ['five parts', ({ good }) => `${good}.x.y`],
  ['six parts', ({ good }) => `${good}.x.y.z`],
  ['an empty part', ({ good }) => good.replace(/\.[^.]+\./, '..')],
  ['only dots', () => '..'],
  ['a space at the end of a part', ({ good }) => good.replace('.', ' .')],
  ['a space in front of the signature', ({ good }) => good.replace(/\.([^.]*)$/, '. $1')],
  ['padding', ({ good }) => `${good}==`],
  ['padding in the header', ({ good }) => good.replace('.', '=.')],
  ['the other base64 alphabet', ({ good }) => `${good.slice(0, -4)}+/+/`],
  [
    'a signature whose last character is not canonical',
    ({ good }) => good.slice(0, -1) + sibling(good.at(-1) ?? ''),
  ],
  ['a signature cut short', ({ good }) => good.slice(0, -4)],
  ['a signature too long', ({ good }) => `${good}AAAA`],
  [
    'a signature of zeros',
    ({ good }) => good.replace(/\.[^.]*$/, `.${Buffer.alloc(64).toString('base64url')}`),
  ],
  [
    'a signature in DER',
    ({ header, claims, token }) =>
      token(header, claims).replace(/\.[^.]*$/, `.${Buffer.alloc(71, 48).toString('base64url')}`),
  ],
  [
    'claims changed after signing',
    ({ good, claims }) => good.replace(/\.[^.]*\./, `.${encode({ ...claims, sub: randomUUID() })}.`),
  ],
  ['claims that are a list', ({ header, token, claims }) => token(header, [claims])],
  ['claims that are a number', ({ header, token }) => token(header, '1')],
  ['claims that are null', ({ header, token }) => token(header, 'null')],
  ['claims that are not JSON', ({ header, token }) => token(header, '{')],
  ...['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp'].map(name => [`no ${name}`, without(name)] as const),
  ['iss by prefix', withClaims({ iss: 'plint' })],
  ['iss with more', withClaims({ iss: 'plinth2' })],
  ['iss in capitals', withClaims({ iss: 'Plinth' })],
  ['iss in a list', withClaims({ iss: ['plinth'] })],
  ['aud by prefix', withClaims({ aud: 'plint' })],
  ['aud in capitals', withClaims({ aud: 'PLINTH' })],
  ['aud in a list', withClaims({ aud: ['plinth'] })],
  ['aud among others', withClaims({ aud: ['other', 'plinth'] })],
  ['sub as a number', withClaims({ sub: 1 })],
  ['sub as an object', withClaims({ sub: {} })],
  ['sub that is no id', withClaims({ sub: 'admin' })],
  ['sub of somebody else with this sid', withClaims({ sub: '019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17' })],
  ['sid that is no id', withClaims({ sid: "' or 1=1 --" })],
  ['sid of no session', withClaims({ sid: '019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17' })],
  ['jti as a number', withClaims({ jti: 1 })],
  ['jti empty', withClaims({ jti: '' })],
  ['exp as text', withClaims({ exp: String(now() + 900) })],
  ['exp with a fraction', withClaims({ exp: now() + 900.5 })],
  ['exp negative', withClaims({ exp: -1 })],
  [
    'exp beyond all numbers',
    ({ header, claims, token }) => token(header, JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e400')),
  ],
  ['exp null', withClaims({ exp: null })],
  ['exp past', withClaims({ exp: now() - 60 })],
  ['exp before iat', withClaims({ iat: now() + 3, exp: now() + 2 })],
  ['iat as text', withClaims({ iat: String(now()) })],
  ['iat in the future', withClaims({ iat: now() + 90, exp: now() + 900 })],
  ['nbf in the future', withClaims({ nbf: now() + 90 })],
];

test('hostile tokens are a 401 with the right challenge', async t => {
  const app = await startApp(t);
  const forge = await createForge(app);
  assert.equal((await app.get('/me', { token: forge.good })).status, 200, 'the forger can do it right');
  for (const [name, make] of hostile) {
    await t.test(name, async () => {
      const token = make(forge);
      // Longer ones do not get past the limit on headers.
      const { status, body, headers } = await app.get('/me', { token });
      if (token.length > 15_000) return assert.equal(status, 431);
      assert.deepEqual([status, body.code], [401, 'invalid_token']);
      assert.equal(headers.get('www-authenticate'), 'Bearer realm="plinth", error="invalid_token"');
    });
  }
  assert.ok(!app.logged.some(line => Number(line['level']) >= 50), 'something was unforeseen');
});

test('no token makes the service turn to anybody', async t => {
  let planted = (): void => undefined;
  const clock = (): Date => {
    planted();
    return new Date();
  };
  const app = await startApp(t, { clock });
  const forge = await createForge(app);
  const service = await buildApp(app.world);
  t.after(() => service.close());
  const ask = async (token: string): Promise<number> =>
    (await service.inject({ method: 'GET', url: '/me', headers: { authorization: `Bearer ${token}` } }))
      .statusCode;

  const seen = trapOutbound(t);
  for (const [name, make] of hostile) assert.equal(await ask(make(forge)), 401, name);
  assert.equal(await ask(forge.good), 200);
  await setImmediate();
  assert.equal(seen.length, 0, seen.join());

  // The same trap, with something in it: what a verifier that follows `jku` or asks elsewhere would do.
  for (const [plant, caught] of [
    [() => fetch(`${nobody}/jwks.json`), 'TCPCONNECTWRAP'],
    [() => fetch(`${nobody.replace('127.0.0.1', 'localhost')}/jwks.json`), 'GETADDRINFOREQWRAP'],
    [async () => connect('/nowhere').on('error', () => undefined), 'PIPECONNECTWRAP'],
  ] as const) {
    let ended: Promise<unknown> | undefined;
    planted = () => {
      ended ??= plant().catch(() => undefined);
    };
    assert.equal(await ask(forge.good), 200);
    await ended;
    assert.ok(seen.splice(0).includes(caught), caught);
  }
});

test('two people who take turns get only their own', t => alternate(t, 5000));

test('a token of another key, however it is named, is refused', async t => {
  const app = await startApp(t);
  const { header, claims } = await createForge(app);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  assert.equal((await app.get('/me', { token: signed(privateKey, header, claims) })).status, 401);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  assert.equal((await app.get('/me', { token: signed(other.privateKey, header, claims) })).status, 401);
});

/** Seconds from now. A token that has been seen before ends when one that has not would. */
const times: readonly (readonly [claim: 'iat' | 'exp', offset: number, accepted: boolean])[] = [
  ['exp', -4, true],
  ['exp', -5, false],
  ['iat', 10, true],
  ['iat', 11, false],
];

test('times are kept to the second: five after the end, ten ahead of the clock', async t => {
  const app = await startApp(t);
  const { keyring, claims } = await createForge(app);
  const at = new Date('2030-01-01T00:00:00.000Z');
  const start = at.getTime() / 1000;
  let current = at;
  const tokens = createAccessTokens({
    keyring,
    clock: () => current,
    issuer: 'plinth',
    audience: 'plinth',
    ttl: 100,
  });
  const forge = await createForge(app);
  for (const [claim, offset, accepted] of times) {
    const token = forge.token(forge.header, {
      ...claims,
      iat: start - 50,
      exp: start + 50,
      [claim]: start + offset,
    });
    assert.equal((await tokens.verify(token)) !== undefined, accepted, `${claim} ${offset}`);
  }
  const session = {
    id: randomUUID(),
    user_id: randomUUID(),
    expires_at: new Date(at.getTime() + 86_400_000),
  };
  const { token } = await tokens.issue(session);
  for (const [seconds, accepted] of [
    [0, true],
    [104, true],
    [105, false],
    [0, true],
    [-10, true],
    [-11, false],
    [0, true],
  ] as const) {
    current = new Date(at.getTime() + seconds * 1000);
    assert.equal((await tokens.verify(token)) !== undefined, accepted, `after ${seconds} s`);
  }
});

test('a verified token is remembered, so the second time costs no public-key operation', async t => {
  const app = await startApp(t);
  const { keyring, good, token, header, claims } = await createForge(app);
  const other = await generateKeyPair('ES256');
  let swapped = false;
  const settings = { clock: () => new Date(), issuer: 'plinth', audience: 'plinth', ttl: 9 };
  const tokens = createAccessTokens({
    keyring: {
      ...keyring,
      verifier: kid => (swapped ? Promise.resolve(other.publicKey) : keyring.verifier(kid)),
    },
    ...settings,
  });
  const first = await tokens.verify(good);
  assert.ok(first);
  // With the wrong key whatever is verified again fails.
  swapped = true;
  for (let i = 0; i < 1000; i++) assert.deepEqual(await tokens.verify(good), first);
  assert.equal(await tokens.verify(token(header, claims)), undefined);
});

test('a remembered token ends with its key', async t => {
  const app = await startApp(t);
  const { keyring, good } = await createForge(app);
  let revoked = false;
  const tokens = createAccessTokens({
    keyring: { ...keyring, verifier: async kid => (revoked ? undefined : await keyring.verifier(kid)) },
    clock: () => new Date(),
    issuer: 'plinth',
    audience: 'plinth',
    ttl: 9,
  });
  assert.ok(await tokens.verify(good));
  revoked = true;
  assert.equal(await tokens.verify(good), undefined);
});

interface Forger extends Forge {
  readonly keyring: Keyring;
}

async function createForge(app: TestApp): Promise<Forger> {
  const { database, vault, clock } = app.world;
  const keyring = await openKeyring({
    db: database.db,
    vault,
    clock,
    monotonic: () => performance.now(),
    onChange: () => undefined,
    onFailure: cause => assert.fail(String(cause)),
  });
  const { token } = await app.person();
  const [header, claims] = token
    .split('.')
    .slice(0, 2)
    .map(part => JSON.parse(Buffer.from(part, 'base64url').toString()));
  const row = await database.db.selectFrom('signing_keys').selectAll().executeTakeFirstOrThrow();
  const { createPrivateKey, createPublicKey } = await import('node:crypto');
  const privateKey = createPrivateKey({
    key: JSON.parse(vault.open(row.private_encrypted, `signing key ${row.id}`)),
    format: 'jwk',
  });
  const publicKey = createPublicKey(privateKey);
  return {
    keyring,
    header,
    claims,
    good: token,
    token: (head, body) => signed(privateKey, head, body),
    publicKey: {
      pem: await exportSPKI(publicKey),
      der: publicKey.export({ type: 'spki', format: 'der' }),
      jwk: JSON.stringify(await exportJWK(publicKey)),
    },
  };
}

function signed(key: KeyObject, header: unknown, claims: unknown): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** The character that differs only in the bits that a decoder drops: the last of 86 carries two. */
function sibling(char: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(char) ^ 1] ?? '';
}
