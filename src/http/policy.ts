import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Code } from '../errors.ts';

/**
 * Who may call a route. `public`: everybody. `session`: the owner of a live session, by a Bearer token. `token`: whoever
 * has a Bearer token of ours that has not expired; its session may be over.
 * There is no default: `requireDeclaredAccess` refuses a route that does not say.
 */
export type Access = (typeof accesses)[number];

const accesses = ['public', 'session', 'token'] as const;

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** For the OpenAPI document: what can go wrong here besides what can anywhere. */
    problems?: readonly Code[];
  }
}

/** Makes the start fail at the first route without a declared policy. Has to be called before any route is added. */
export function requireDeclaredAccess(app: FastifyInstance): void {
  app.addHook('onRoute', route => {
    accessOf(route);
  });
}

/** The declared policy. Throws when there is none: the guard and the OpenAPI document read it here and nowhere else. */
export function accessOf(route: Pick<RouteOptions, 'config' | 'method' | 'url'>): Access {
  const access = accesses.find(known => known === route.config?.access);
  if (!access) {
    throw new Error(`route ${String(route.method)} ${route.url} declares no access: ${accesses.join(', ')}`);
  }
  return access;
}
