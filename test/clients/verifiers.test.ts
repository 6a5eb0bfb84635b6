import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { decodeJwt, SignJWT } from 'jose';
import jwt from 'jsonwebtoken';
import { startApp, type TestApp } from '../helpers/app.ts';
import { documentedFiles, programFolder, typeFaults } from './documented.ts';

const settings = { ISSUER: 'https://accounts.example.com', AUDIENCE: 'https://api.example.com' };

/** A token that is not good, and what two libraries call the reason. */
interface Bad {
  readonly name: string;
  readonly token: string;
  readonly jose: string;
  readonly jsonwebtoken: string;
}

/** A service with the addresses of the documentation, and tokens that are not good for those who rely on it. */
async function startIssuer(t: TestContext): Promise<{ readonly app: TestApp; readonly bad: readonly Bad[] }> {
  let behind = 3_600_000;
  const clock = () => new Date(Date.now() - behind);
  const app = await startApp(t, { settings, clock });
  const { token: expired } = await app.person();
  behind = 0;
  const { database, engine, vault } = app.world;
  const shared = { database, engine, vault, clock };
  const other = await startApp(t, { ...shared, settings: { ...settings, ISSUER: 'https://example.com' } });
  const third = await startApp(t, { ...shared, settings: { ...settings, AUDIENCE: 'https://example.com' } });
  const stranger = await startApp(t, { settings });
  const { token } = await app.person();
  const [head, , signature] = token.split('.');
  const claims = token.split('.')[1]?.replace(/.$/, last => (last === 'Q' ? 'A' : 'Q'));
  const bad: Bad[] = [
    {
      name: 'of another issuer',
      token: (await other.person()).token,
      jose: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
      jsonwebtoken: `jwt issuer invalid. expected: ${settings.ISSUER}`,
    },
    {
      name: 'for another audience',
      token: (await third.person()).token,
      jose: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
      jsonwebtoken: `jwt audience invalid. expected: ${settings.AUDIENCE}`,
    },
    {
      name: 'of another key',
      token: (await stranger.person()).token,
      jose: 'ERR_JWKS_NO_MATCHING_KEY',
      jsonwebtoken: 'invalid signature',
    },
    { name: 'expired', token: expired, jose: 'ERR_JWT_EXPIRED', jsonwebtoken: 'jwt expired' },
    {
      name: 'changed',
      token: [head, claims, signature].join('.'),
      jose: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      jsonwebtoken: 'invalid signature',
    },
    {
      name: 'without a signature',
      token: `${head}.${claims}.`,
      jose: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
      jsonwebtoken: 'jwt signature is required',
    },
  ];
  return { app, bad };
}

test('jose, as docs/clients.md says', async t => {
  const { app, bad } = await startIssuer(t);
  const recipe = documentedFiles().get('verify.ts') ?? '';
  const text = recipe.replace('https://accounts.example.com/.well-known', `${app.url}/.well-known`);
  assert.notEqual(text, recipe);
  const folder = programFolder(t, { 'verify.ts': text });
  assert.deepEqual(await typeFaults(folder), []);
  const { verify } = (await import(pathToFileURL(join(folder, 'verify.ts')).href)) as {
    verify: (token: string) => Promise<{ userId: string; sessionId: string }>;
  };
  const { token, id } = await app.person();
  const { items } = (await app.get('/me/sessions', { token })).body;
  assert.deepEqual(await verify(token), { userId: id, sessionId: items[0].id });
  for (const { name, token, jose } of bad) await assert.rejects(verify(token), { code: jose }, name);
  await assert.rejects(verify(await ofAnotherKind(app, token)), { claim: 'typ' });
  await app.post('/logout', undefined, { token });
  assert.equal((await verify(token)).userId, id, 'as the documentation warns');
});

test('jsonwebtoken, with the published key', async t => {
  const { app, bad } = await startIssuer(t);
  const [key] = (await app.get('/.well-known/jwks.json')).body.keys;
  const publicKey = createPublicKey({ key, format: 'jwk' });
  const verify = (token: string) =>
    jwt.verify(token, publicKey, {
      algorithms: ['ES256'],
      issuer: settings.ISSUER,
      audience: settings.AUDIENCE,
      complete: true,
    });
  const { token, id } = await app.person();
  const { header, payload } = verify(token);
  assert.deepEqual([header.typ, header.kid], ['at+jwt', key.kid]);
  assert.equal(payload.sub, id);
  for (const { name, token, jsonwebtoken } of bad) {
    assert.throws(() => verify(token), { message: jsonwebtoken }, name);
  }
});

/** The same claims, rightly signed, in a JWT that is not an access token. */
async function ofAnotherKind({ world: { database, vault } }: TestApp, token: string): Promise<string> {
  const { id, private_encrypted } = await database.db
    .selectFrom('signing_keys')
    .selectAll()
    .executeTakeFirstOrThrow();
  const key = JSON.parse(vault.open(private_encrypted, `signing key ${id}`));
  return await new SignJWT(decodeJwt(token)).setProtectedHeader({ alg: 'ES256', kid: id }).sign(key);
}
