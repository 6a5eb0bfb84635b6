import { departure } from '../http/departure.ts';
import { json, type Routes } from '../http/routes.ts';
import { ref } from '../schemas.ts';
import type { Keyring } from './keyring.ts';
import { publicKeysMaxAge } from './keys.ts';
import type { Credentials, Login } from './login.ts';
import type { Refresh } from './refresh.ts';
import { Jwks, Login as LoginBody, LoginForm, Refresh as RefreshBody, Tokens } from './schemas.ts';
import type { Issued } from './token-pairs.ts';

interface AuthRoutes {
  readonly login: Login;
  readonly refresh: Refresh;
  readonly keyring: Keyring;
}

/** How a session begins, goes on, and is known elsewhere. */
export function authRoutes(app: Routes, { login, refresh, keyring }: AuthRoutes): void {
  app.post(
    '/login',
    {
      config: {
        access: 'public',
        importance: 'normal',
        problems: ['invalid_credentials', 'too_many_requests', 'overloaded'],
      },
      schema: {
        operationId: 'login',
        summary: 'Log in',
        description: 'As JSON, or as the form of OAuth 2.0’s password grant.',
        tags: ['sessions'],
        body: {
          content: { ...json(LoginBody).content, 'application/x-www-form-urlencoded': { schema: LoginForm } },
        },
        response: { 200: ref(Tokens) },
      },
    },
    async (request, reply) => {
      const { body, headers, source, caller } = request;
      const device = { userAgent: headers['user-agent'], ip: source.address };
      const { session, tokens } = await login(credentials(body), caller, device, departure(reply));
      request.record('session_started', whose(session));
      return tokens;
    },
  );

  app.post(
    '/refresh',
    {
      config: { access: 'public', importance: 'high', problems: ['invalid_token'] },
      schema: {
        operationId: 'refresh',
        summary: 'Renew a session',
        description:
          'Gives a new pair of tokens. The refresh token before the last one gives the same pair again for ten ' +
          'seconds, so that a lost answer can be asked for once more; using any older one ends the session.',
        tags: ['sessions'],
        body: json(RefreshBody),
        response: { 200: ref(Tokens) },
      },
    },
    async request => {
      const { session, tokens } = await refresh(request.body.refresh_token, reused =>
        request.record('refresh_token_reuse', whose(reused)),
      );
      request.record('session_renewed', whose(session));
      return tokens;
    },
  );

  app.get(
    '/.well-known/jwks.json',
    {
      config: { access: 'public', importance: 'high' },
      schema: {
        operationId: 'getJwks',
        summary: 'Public signing keys',
        tags: ['sessions'],
        response: { 200: ref(Jwks) },
      },
    },
    async (_, reply) => {
      void reply.header('cache-control', `public, max-age=${publicKeysMaxAge}`);
      return await keyring.jwks();
    },
  );
}

function credentials(body: Credentials | { username: string; password: string }): Credentials {
  return 'username' in body ? { email: body.username, password: body.password } : body;
}

function whose({ id, user_id }: Issued['session']): { user_id: string; session_id: string } {
  return { user_id, session_id: id };
}
