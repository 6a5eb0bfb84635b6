import cluster from 'node:cluster';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Routes } from './routes.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** All addresses of a name, or of an address itself. */
  readonly resolve?: (host: string) => Promise<readonly { readonly address: string }[]>;
}

/**
 * Connections that wait to be taken, as far as the system allows. Of a burst beyond it the clients try again by themselves,
 * but only after a second or more.
 */
const backlog = 4096;
/** Sockets that listen side by side, where the system divides new connections among them. A worker has its primary's. */
const doors = process.platform === 'linux' && !cluster.isWorker ? 32 : 1;

/**
 * Listens on an address that nobody else listens on, or on all of a name that are this machine's, and closes it with `app`;
 * the first address as a URL.
 *
 * Of each socket that listens Node takes one connection in a turn of its event loop. Where a thousand clients keep it
 * busy, turns are so long that one socket takes some twenty connections a second, and whoever comes to ask whether the
 * service lives waits behind all who came before; docs/decisions/accepting.md has the figures.
 */
export async function listen(
  app: Routes,
  { host, port, resolve = resolveAll }: ListenOptions,
): Promise<string> {
  const others: Server[] = [];
  // Fastify closes its own, and waits for the connections of that one alone.
  app.addHook('preClose', async () => {
    await Promise.all([app.server, ...others].map(server => new Promise(resolve => server.close(resolve))));
  });
  const addresses = await ownAddresses(host, resolve);
  const [first = host] = addresses;
  const shared = { backlog, reusePort: doors > 1 };
  await app.ready();
  const url = await oneAtATime(port, async () => {
    if (doors > 1 && port !== 0) for (const address of addresses) await requireFree(address, port);
    return await app.listen({ host: first, port, ...shared });
  });
  const { port: taken } = app.server.address() as AddressInfo;
  for (const address of addresses) {
    for (let count = address === first ? 1 : 0; count < doors; count++) {
      const server = createServer({ allowHalfOpen: true, noDelay: true });
      server.on('connection', socket => app.server.emit('connection', socket));
      server.listen({ host: address, port: taken, ...shared });
      await once(server, 'listening');
      others.push(server);
    }
  }
  return url;
}

const resolveAll = (host: string) => lookup(host, { all: true });

/** Those of a name that this machine has: `localhost` may stand for one in IPv6 too, where there is no IPv6. */
async function ownAddresses(
  host: string,
  resolve: NonNullable<ListenOptions['resolve']>,
): Promise<readonly string[]> {
  const all = [...new Set((await resolve(host)).map(({ address }) => address))];
  if (all.length === 1) return all;
  const tried = await Promise.allSettled(all.map(address => requireFree(address, 0)));
  const own = all.filter((_, at) => tried[at]?.status === 'fulfilled');
  // Without any, the first one says why.
  return own.length > 0 ? own : all.slice(0, 1);
}

/**
 * Rejects where somebody listens already, or the address is none of this machine's. Who shares an address would share it
 * with any other program of the same user that does.
 */
async function requireFree(host: string, port: number): Promise<void> {
  // `exclusive`: a worker is not to have its primary look.
  const server = createServer().listen({ host, port, exclusive: true });
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
