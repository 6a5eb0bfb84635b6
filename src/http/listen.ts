import cluster from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
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
  const shared = { host, port, backlog, reusePort: true };
  await app.ready();
  const url = await oneAtATime(port, async () => {
    if (port !== 0) await requireFree(host, port);
    return await app.listen(shared);
  });
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

/**
 * Two that start at once would both find the address free, and then share it. So whoever looks and then listens has a name
 * meanwhile that only one can have, in Linux's abstract name space, which ends with its socket and is as wide as that of the
 * ports. It is had for milliseconds: who cannot get it in a quarter of a second goes on, lest anybody could prevent a
 * start by it.
 */
async function oneAtATime<T>(port: number, work: () => Promise<T>): Promise<T> {
  const lock = createServer(socket => socket.destroy());
  for (let tries = 0; tries < 25 && !lock.listening; tries++) {
    lock.listen(`\0plinth starts on ${port}`);
    await once(lock, 'listening').catch(() => delay(10));
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}
