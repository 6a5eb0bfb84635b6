import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import type { Queries } from '../database.ts';
import { Problem, unauthenticated } from '../errors.ts';
import { countHeaders } from '../http/headers.ts';
import { accessOf } from '../http/policy.ts';
import { findIdentity, type Identity } from './models.ts';
import type { AccessClaims, AccessTokens } from './tokens.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking, where the route requires a session. */
    identity: Identity | null;
    /** What the token says, where the route requires no more than a token. */
    claims: AccessClaims | null;
    /** The same, for handlers of routes that require a session: reading it anywhere else throws. */
    readonly user: Identity['user'];
    readonly session: Identity['session'];
  }
}

interface GuardOptions {
  readonly db: Queries;
  readonly tokens: AccessTokens;
  readonly clock: Clock;
  /** Told of every session that is used. */
  readonly noteUse: (session: Identity['session']) => void;
}

/** Asks for what each route declares, before its body is read. Add it before the routes. */
export function guardRoutes(app: FastifyInstance, options: GuardOptions): void {
  app.decorateRequest('identity', null);
  app.decorateRequest('claims', null);
  app.decorateRequest('user', { getter: requireUser });
  app.decorateRequest('session', { getter: requireSession });
  app.addHook('onRoute', route => {
    const access = accessOf(route);
    if (access === 'public') return;
    const check = access === 'session' ? requireLiveSession : requireToken;
    route.onRequest = [
      // With `done`, because Fastify asks every promise of a hook twice.
      (request, _reply, done) => {
        check(request, options).then(() => done(), done);
      },
      ...[route.onRequest ?? []].flat(),
    ];
  });
}

async function requireToken(request: FastifyRequest, { tokens }: GuardOptions): Promise<AccessClaims> {
  const claims = await tokens.verify(bearerToken(request));
  if (!claims) throw unauthenticated('invalid_token');
  request.claims = claims;
  return claims;
}

async function requireLiveSession(request: FastifyRequest, options: GuardOptions): Promise<void> {
  const { sid, sub } = await requireToken(request, options);
  const identity = await findIdentity(options.db, { sid, sub, now: options.clock() });
  if (!identity) throw unauthenticated('invalid_token');
  request.identity = identity;
  options.noteUse(identity.session);
}

function requireUser(this: FastifyRequest): Identity['user'] {
  return identityOf(this).user;
}

function requireSession(this: FastifyRequest): Identity['session'] {
  return identityOf(this).session;
}

function identityOf({ identity }: FastifyRequest): Identity {
  if (!identity) throw new Error('this route does not require a session');
  return identity;
}

/** RFC 6750, section 2.1, the one method of the three that is accepted; the scheme in any letter case. */
function bearerToken({ raw, headers }: FastifyRequest): string {
  const header = headers.authorization;
  if (header === undefined) throw unauthenticated();
  if (countHeaders(raw, 'authorization') > 1)
    throw new Problem('malformed_request', 'There is more than one Authorization header.');
  const [, token] = /^bearer +(\S.*)$/i.exec(header) ?? [];
  if (token === undefined && !/^bearer *$/i.test(header)) throw unauthenticated();
  if (token === undefined) throw unauthenticated('invalid_token');
  return token;
}
