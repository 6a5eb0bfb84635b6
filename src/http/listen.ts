import cluster from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Routes } from './routes.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/**
 * Connections that wait to be taken, as far as the system allows. Of a burst beyond it the clients try again by themselves,
 * but only after a second or more.
 */
const backlog = 4096;
/** Sockets that listen side by side, where the system divides new connections among them. A worker has its primary's. */
const doors = process.platform === 'linux' && !cluster.isWorker ? 32 : 1;

/**
 * Listens on an address that nobody else listens on, and closes it with `app`; the address as a URL.
 *
 * Of each socket that listens Node takes one connection in a turn of its event loop. Where a thousand clients keep it
 * busy, turns are so long that one socket takes some twenty connections a second, and whoever comes to ask whether the
 * service lives waits behind all who came before; docs/decisions/accepting.md has the figures.
 */
export async function listen(app: Routes, { host, port }: ListenOptions): Promise<string> {
  const others: Server[] = [];
  // Fastify closes its own, and waits for the connections of that one alone.
  app.addHook('preClose', async () => {
    await Promise.all([app.server, ...others].map(server => new Promise(resolve => server.close(resolve))));
  });
  if (doors === 1) return await app.listen({ host, port, backlog });
  if (port !== 0) await requireFree(host, port);
  const shared = { host, port, backlog, reusePort: true };
  const url = await app.listen(shared);
  const { address, port: taken } = app.server.address() as AddressInfo;
  while (others.length < doors - 1) {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.on('connection', socket => app.server.emit('connection', socket));
    server.listen({ ...shared, host: address, port: taken });
    await once(server, 'listening');
    others.push(server);
  }
  return url;
}

/** Who shares an address would share it with any other program of the same user that does. */
async function requireFree(host: string, port: number): Promise<void> {
  const server = createServer().listen({ host, port });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
