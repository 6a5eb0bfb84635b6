import type { Routes } from './routes.ts';

/** Milliseconds between looks at which connections have become idle. */
const interval = 50;

/**
 * Lets a closing server end as soon as its last answer is out: a client that keeps its connection open after that would
 * otherwise hold it for as long as keep-alive lasts. The function returned says whether the server is closing.
 */
export function drainOnClose(app: Routes): () => boolean {
  let draining = false;
  app.addHook('preClose', async () => {
    draining = true;
    const timer = setInterval(() => app.server.closeIdleConnections(), interval);
    app.server.once('close', () => clearInterval(timer));
    if (!app.server.listening) clearInterval(timer);
  });
  return () => draining;
}
