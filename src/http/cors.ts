import cors from '@fastify/cors';
import type { MethodsAt } from './methods.ts';
import { noRoute } from './problems.ts';
import type { Routes } from './routes.ts';

/**
 * Lets pages of exactly these origins call from a browser. Credentials here are tokens in a header and never cookies, so
 * nothing more than the origin is allowed. Add it before routes have to declare who may call them: it adds one of its
 * own, for the browser's questions.
 */
export async function allowOrigins(
  app: Routes,
  origins: readonly string[],
  methodsAt: MethodsAt,
): Promise<void> {
  // The plugin would answer for paths that there are not.
  app.addHook('onRequest', (request, _reply, done) => {
    const methods = request.method === 'OPTIONS' ? methodsAt(request) : '';
    done(methods === undefined ? noRoute(methods) : undefined);
  });
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'x-request-id'],
    exposedHeaders: ['ratelimit', 'ratelimit-policy', 'retry-after', 'www-authenticate', 'x-request-id'],
    // Otherwise a question that is not a browser's gets an answer of the plugin's own form.
    strictPreflight: false,
    maxAge: 600,
  });
}
