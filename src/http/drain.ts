import type { Routes } from './routes.ts';

/** Milliseconds between looks at which connections have become idle. */
const interval = 50;

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on every answer is the last of its connection, and the service says that it is not ready. */
    beginDrain(): void;
  }
}

/**
 * Lets a closing server end as soon as its last answer is out: a client that keeps its connection open after that would
 * otherwise hold it for as long as keep-alive lasts. Closing begins the drain, if nothing did before. The function
 * returned says whether it has begun.
 */
export function drainOnClose(app: Routes): () => boolean {
  let draining = false;
  const begin = (): void => {
    if (draining) return;
    draining = true;
    // Before Fastify sees the request, and at no cost to those of the time before.
    app.server.prependListener('request', (_, response) => {
      response.shouldKeepAlive = false;
    });
  };
  let timer: NodeJS.Timeout | undefined;
  app.addHook('preClose', async () => {
    begin();
    timer = setInterval(() => app.server.closeIdleConnections(), interval);
  });
  app.addHook('onClose', async () => clearInterval(timer));
  app.decorate('beginDrain', begin);
  return () => draining;
}
