import { departure } from '../http/departure.ts';
import { json, type Routes } from '../http/routes.ts';
import { ref } from '../schemas.ts';
import type { Keyring } from './keys.ts';
import { Jwks, Login, LoginForm, Tokens } from './schemas.ts';
import type { Credentials, Sessions } from './sessions.ts';

interface AuthRoutes {
  readonly sessions: Sessions;
  readonly keyring: Keyring;
}

/** Seconds for which others may keep the public keys. */
const jwksMaxAge = 300;

export function authRoutes(app: Routes, { sessions, keyring }: AuthRoutes): void {
  app.post(
    '/login',
    {
      config: { access: 'public', problems: ['invalid_credentials', 'overloaded'] },
      schema: {
        operationId: 'login',
        summary: 'Log in',
        description: 'As JSON, or as the form of OAuth 2.0’s password grant.',
        body: {
          content: { ...json(Login).content, 'application/x-www-form-urlencoded': { schema: LoginForm } },
        },
        response: { 200: ref(Tokens) },
      },
    },
    async ({ body, headers, ip }, reply) =>
      await sessions.login(credentials(body), { userAgent: headers['user-agent'], ip }, departure(reply)),
  );

  app.get(
    '/.well-known/jwks.json',
    {
      config: { access: 'public' },
      schema: { operationId: 'getJwks', summary: 'Public signing keys', response: { 200: ref(Jwks) } },
    },
    async (_, reply) => {
      void reply.header('cache-control', `public, max-age=${jwksMaxAge}`);
      return keyring.jwks;
    },
  );
}

function credentials(body: Credentials | { username: string; password: string }): Credentials {
  return 'username' in body ? { email: body.username, password: body.password } : body;
}
