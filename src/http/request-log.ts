import type { FastifyInstance } from 'fastify';
import type { Log } from '../log.ts';

/**
 * One line per request, when its answer is out: who, what, how long, and nothing that was in the request itself but its
 * id. The route is the pattern, not the URL, so that no id, token or address of a person gets into the log by a path.
 */
export function logRequests(app: FastifyInstance, log: Log): void {
  app.addHook('onResponse', (request, reply, done) => {
    log.info({
      request_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.statusCode,
      duration_ms: Math.round(reply.elapsedTime * 100) / 100,
      user_id: request.identity?.user.id,
    });
    done();
  });
}
