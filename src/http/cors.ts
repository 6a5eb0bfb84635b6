import cors from '@fastify/cors';
import type { Routes } from './routes.ts';

/**
 * Lets pages of exactly these origins call from a browser. Credentials here are tokens in a header and never cookies, so
 * nothing more than the origin is allowed. Add it before routes have to declare who may call them: it adds one of its
 * own, for the browser's questions.
 */
export async function allowOrigins(app: Routes, origins: readonly string[]): Promise<void> {
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
