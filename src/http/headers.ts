import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';

/**
 * Headers of every answer. `no-store` unless the handler has said otherwise; the policy is for answers that a browser
 * opens as a page by mistake: nothing in them may load, run or be framed. Nor may a page of another origin take one in
 * as an image or a script; what CORS allows is not touched by that.
 */
export function standardHeaders(requestId: string): Record<string, string> {
  return {
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
  };
}

export function setHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(standardHeaders(request.id));
    done();
  });
}

/** How many headers have this name, in lower case: of some Node keeps the first, and a proxy may have looked at the last. */
export function countHeaders({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): number {
  // Names and values by turns.
  return rawHeaders.filter(
    (text, at) => at % 2 === 0 && text.length === name.length && text.toLowerCase() === name,
  ).length;
}
