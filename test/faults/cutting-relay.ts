import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Scope } from '../helpers/scope.ts';

/** Passes bytes on, and now and then cuts a connection when the service has just answered: the answer does not arrive. */
export interface CuttingRelay {
  readonly url: string;
  readonly cuts: () => number;
}

/** `share`: of the answers, 0 to 1. */
export async function startCuttingRelay(
  scope: Scope,
  target: string,
  share: number,
  random: () => number,
): Promise<CuttingRelay> {
  const { hostname, port } = new URL(target);
  let cuts = 0;
  const server = createServer(client => {
    const service = connect(Number(port), hostname);
    client.pipe(service);
    service.on('data', bytes => {
      if (random() >= share) {
        client.write(bytes);
        return;
      }
      cuts++;
      client.resetAndDestroy();
      service.destroy();
    });
    for (const [one, other] of [[client, service] as const, [service, client] as const]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts };
}
