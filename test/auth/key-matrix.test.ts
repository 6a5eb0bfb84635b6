import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeJwt, decodeProtectedHeader, importJWK, type JWTPayload, SignJWT } from 'jose';
import { sealContext } from '../../src/auth/keys.ts';
import type { Answer } from '../helpers/client.ts';
import { logIn, me, type Nodes, refresh, sessionOf, startNodes } from '../helpers/nodes.ts';

type Kinds = Readonly<Record<string, string>>;

interface Place {
  readonly name: string;
  /** The kind that belongs there, and the status that it gets. */
  readonly takes?: readonly [kind: string, status: number];
  readonly use: (nodes: Nodes, value: string, kinds: Kinds) => Promise<Answer>;
  /** What every other kind gets there. */
  readonly refusal: string | ((value: string) => string);
}

const ours = { current_password: 'a very good passphrase', new_password: 'another good passphrase' };

const places: readonly Place[] = [
  {
    name: 'Bearer of a session',
    takes: ['access token', 200],
    use: ({ a }, token) => a.get('/me/sessions', { token }),
    refusal: '401 invalid_token',
  },
  {
    name: 'Bearer of a change',
    use: ({ b }, token, kinds) =>
      b.request('PUT', '/me/password', { json: ours, token: token === kinds['access token'] ? 'x' : token }),
    refusal: '401 invalid_token',
  },
  {
    name: 'Bearer of a logout',
    use: ({ a }, token, kinds) =>
      a.post('/logout', undefined, { token: token === kinds['access token'] ? 'x' : token }),
    refusal: '401 invalid_token',
  },
  {
    name: 'refresh',
    takes: ['refresh token', 200],
    use: ({ b }, value) => refresh(b, value),
    refusal: '401 invalid_token',
  },
  {
    name: 'a session by id',
    takes: ['id of another session', 204],
    use: ({ a }, value, kinds) =>
      a.request('DELETE', `/me/sessions/${encodeURIComponent(value)}`, {
        token: kinds['access token'] ?? '',
      }),
    // A part of a path has its greatest length.
    refusal: value => (value.length > 100 ? '400 malformed_request' : '404 not_found'),
  },
  {
    name: 'another scheme',
    use: ({ a }, value) => a.get('/me', { headers: { authorization: `Basic ${btoa(`:${value}`)}` } }),
    refusal: '401 unauthenticated',
  },
  {
    name: 'no scheme',
    use: ({ a }, value) => a.get('/me', { headers: { authorization: value } }),
    refusal: '401 unauthenticated',
  },
  {
    name: 'a cookie',
    use: ({ a }, value) => a.get('/me', { headers: { cookie: `access_token=${value}; session=${value}` } }),
    refusal: '401 unauthenticated',
  },
  {
    name: 'the query',
    use: ({ a }, value) => a.get(`/me?${new URLSearchParams({ access_token: value, token: value })}`),
    refusal: '401 unauthenticated',
  },
];

test('every kind of token is refused wherever another kind is asked for', async t => {
  const nodes = await startNodes(t);
  const { a, database } = nodes;
  const person = await a.register();
  const tokens = await logIn(a, person);
  const other = await logIn(a, person);
  const bystander = await logIn(a, await a.register());
  const kinds = await everyKind(nodes, tokens);
  const own: Kinds = { ...kinds, 'id of another session': sessionOf(other) };
  const before = await database.db.selectFrom('sessions').selectAll().orderBy('id').execute();

  for (const { name, use, refusal, takes } of places) {
    for (const [kind, value] of Object.entries(own)) {
      if (kind === takes?.[0]) continue;
      // A session may be ended by itself; that it is the wrong one here would not be seen.
      if (name === 'a session by id' && kind === 'session id') continue;
      const { status, body } = await use(nodes, value, own);
      const expected = typeof refusal === 'string' ? refusal : refusal(value);
      assert.equal(`${status} ${body?.code}`, expected, `${kind} as ${name}`);
    }
  }
  assert.deepEqual(await database.db.selectFrom('sessions').selectAll().orderBy('id').execute(), before);

  // The control: each kind counts in its own place.
  for (const { name, use, takes } of places) {
    if (!takes) continue;
    const { status } = await use(nodes, own[takes[0]] ?? '', own);
    assert.equal(status, takes[1], name);
  }
  assert.equal(await me(a, other.access_token), 401);
  assert.equal(await me(a, bystander.access_token), 200);
});

/** Everything that somebody could take for a token, all of it real. */
async function everyKind(
  { a, database }: Nodes,
  tokens: { readonly access_token: string; readonly refresh_token: string },
): Promise<Kinds> {
  const { kid = '' } = decodeProtectedHeader(tokens.access_token);
  const claims = decodeJwt(tokens.access_token);
  const key = await database.db.selectFrom('signing_keys').selectAll().executeTakeFirstOrThrow();
  const jwk = JSON.parse(a.world.vault.open(key.private_encrypted, sealContext(kid)));
  const signed = async (typ: string | undefined, payload: JWTPayload = claims): Promise<string> =>
    await new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', kid, ...(typ && { typ }) })
      .sign(await importJWK(jwk, 'ES256'));
  const [row] = await database.db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .where('sessions.id', '=', String(claims['sid']))
    .select(['refresh_hash', 'refresh_family_hash', 'password_hash', 'user_id'])
    .execute();
  assert.ok(row);
  const bytes = Buffer.from(tokens.refresh_token, 'base64url');
  const hashes = [row.refresh_family_hash, row.refresh_hash].map(text => Buffer.from(text, 'base64url'));
  return {
    'access token': tokens.access_token,
    'refresh token': tokens.refresh_token,
    // Signed with the very key, as another part of the service might sign one day.
    'plain JWT': await signed('JWT'),
    'JWT without a type': await signed(undefined),
    'ID token': await signed('id+jwt'),
    'refresh token as a JWT': await signed('rt+jwt'),
    'logout token': await signed('logout+jwt'),
    'reset token': await signed('JWT', { sub: claims.sub ?? '', purpose: 'reset', exp: claims.exp ?? 0 }),
    'access token without a session': await signed('at+jwt', without(claims, 'sid')),
    'access token for somebody else': await signed('at+jwt', { ...claims, aud: 'another' }),
    'session id': String(claims['sid']),
    'token id': String(claims.jti),
    'user id': row.user_id,
    'key id': kid,
    'hash of the refresh token': row.refresh_hash,
    'both hashes of the refresh token': Buffer.concat(hashes.map(hash => hash.subarray(0, 24))).toString(
      'base64url',
    ),
    'family of the refresh token': bytes.subarray(0, 16).toString('base64url'),
    'password hash': row.password_hash,
    password: 'a very good passphrase',
    'sealed private key': key.private_encrypted,
    'public key': key.public_jwk,
  };
}

function without(claims: JWTPayload, name: string): JWTPayload {
  return Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
}
