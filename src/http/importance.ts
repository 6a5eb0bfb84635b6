import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Shedder } from '../overload.ts';
import { accessOf } from './policy.ts';

/**
 * In which order requests are given up where there are too many. `vital`: never, and it has to be cheap. `high`: what
 * people who are logged in do. `normal`: how they get there. `low`: all else.
 */
export type Importance = keyof typeof ranks;

const ranks = { low: 0, normal: 1, high: 2, vital: Number.POSITIVE_INFINITY } as const;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Without it: `high` where a token is asked for, `low` where everybody may call. */
    importance?: Importance;
  }
}

export function importanceOf(route: Pick<RouteOptions, 'config' | 'method' | 'url'>): Importance {
  return route.config?.importance ?? (accessOf(route) === 'public' ? 'low' : 'high');
}

/**
 * Lets the shedder see every request of the routes that are added from now on, before its token or its body is looked
 * at: add it after whatever looks at them.
 */
export function shedLoad(app: FastifyInstance, shedder: Pick<Shedder, 'refusal'>): void {
  app.addHook('onRoute', route => {
    const rank = ranks[importanceOf(route)];
    if (rank === ranks.vital) return;
    route.onRequest = [
      (_request, _reply, done) => done(shedder.refusal(rank)),
      ...[route.onRequest ?? []].flat(),
    ];
  });
}
