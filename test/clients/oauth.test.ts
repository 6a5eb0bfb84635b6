import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type AuthorizationServer,
  allowInsecureRequests,
  genericTokenEndpointRequest,
  None,
  processGenericTokenEndpointResponse,
  processRefreshTokenResponse,
  protectedResourceRequest,
  refreshTokenGrantRequest,
  validateJwtAccessToken,
  WWWAuthenticateChallengeError,
} from 'oauth4webapi';
import { startApp } from '../helpers/app.ts';

const settings = { ISSUER: 'https://accounts.example.com', AUDIENCE: 'https://api.example.com' };
const http = { [allowInsecureRequests]: true };

test('oauth4webapi, as far as there is OAuth here', async t => {
  const app = await startApp(t, { settings });
  const server: AuthorizationServer = {
    issuer: settings.ISSUER,
    token_endpoint: `${app.url}/login`,
    jwks_uri: `${app.url}/.well-known/jwks.json`,
  };
  const client = { client_id: 'anything' };
  const person = await app.register();
  const grant = async (password: string) => {
    const form = { username: person.email, password };
    const response = await genericTokenEndpointRequest(server, client, None(), 'password', form, http);
    return await processGenericTokenEndpointResponse(server, client, response);
  };
  const tokens = await grant(person.password);
  const me = new URL(`${app.url}/me`);

  await t.test('takes the answer of a login and of a refresh', async () => {
    assert.deepEqual([tokens.token_type, tokens.expires_in], ['bearer', 900]);
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const body = JSON.stringify({ refresh_token: tokens.refresh_token });
    const response = await fetch(`${app.url}/refresh`, { ...init, body });
    const renewed = await processRefreshTokenResponse(server, client, response);
    assert.equal(renewed.token_type, 'bearer');
    assert.notEqual(renewed.refresh_token, tokens.refresh_token);
  });

  await t.test('uses the token, and understands the challenge', async () => {
    const response = await protectedResourceRequest(
      tokens.access_token,
      'GET',
      me,
      undefined,
      undefined,
      http,
    );
    assert.ok((await response.text()).includes(person.email));
    const refused = protectedResourceRequest('nonsense', 'GET', me, undefined, undefined, http);
    await assert.rejects(refused, challenged({ realm: 'plinth', error: 'invalid_token' }));
  });

  // What docs/clients.md says does not work: when one of these begins to, the page is wrong.
  await t.test('misses `client_id`, and nothing else before it', async () => {
    const request = new Request(me, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    await assert.rejects(validateJwtAccessToken(server, request, settings.AUDIENCE, http), {
      message: /^JWT "client_id" .*claim missing$/,
    });
  });

  await t.test('has no form for a refresh', async () => {
    const response = await refreshTokenGrantRequest(server, client, None(), tokens.refresh_token ?? '', http);
    assert.equal(response.status, 422);
    const atRefresh = { ...server, token_endpoint: `${app.url}/refresh` };
    const form = await refreshTokenGrantRequest(atRefresh, client, None(), tokens.refresh_token ?? '', http);
    assert.equal(form.status, 415);
  });

  await t.test('sees that a login failed, not why', async () => {
    await assert.rejects(grant('not the right one'), challenged({ realm: 'plinth' }));
  });
});

/** The error of an answer with one challenge, which has these parameters and no others. */
function challenged(parameters: Readonly<Record<string, string>>): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof WWWAuthenticateChallengeError);
    assert.deepEqual(
      error.cause.map(challenge => ({ scheme: challenge.scheme, ...challenge.parameters })),
      [{ scheme: 'bearer', ...parameters }],
    );
    return true;
  };
}
