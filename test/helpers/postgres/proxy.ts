import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scope } from '../scope.ts';

export interface Way {
  /** The URL that was given, by way of the proxy. */
  readonly url: string;
  /** Connections that are open. */
  readonly connections: () => number;
  /** Milliseconds by which everything comes later, from now on. */
  slow(milliseconds: number): void;
  /** From now on a byte comes through in so many milliseconds, in each direction of each connection. */
  drip(milliseconds: number): void;
  /** From now on nothing comes through in either direction, and nothing is closed; new connections are taken. */
  blackHole(): void;
  /** Lets everything through again, but for the connections that were made in a black hole: they stay in it. */
  heal(): void;
  /** Where new connections lead from now on. */
  lead(to: string): void;
  /** Ends all connections at once. */
  cut(): void;
  /** Ends the connection on which the server's answer to a text has to come through next, in its stead. */
  cutAnswerTo(text: string): void;
  /** From now on nothing comes through on the connection on which a text has come next, as in a black hole. */
  loseAt(text: string): void;
  /** Refuses connections, and ends those that are there. */
  close(): Promise<void>;
}

/** Stands between the service and its database, and can make it a bad way. Ends with the test. */
export async function startProxy(t: Scope, to: string): Promise<Way> {
  let target = new URL(to);
  const sockets = new Set<Socket>();
  let wait = 0;
  let pace = 0;
  let open = true;
  let cutAt: string | undefined;
  let lostAt: string | undefined;

  const server = createServer(client => {
    const upstream = connect(Number(target.port), target.hostname);
    const way = { lost: !open, cut: false };
    for (const [from, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      let dripping = Promise.resolve();
      from.on('data', (chunk: Buffer) => {
        if (pace > 0) dripping = dripping.then(() => drip(chunk, other));
        else void pass(chunk, from, other);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        if (open || from === client) other.destroy();
      });
    }

    async function pass(chunk: Buffer, from: Socket, other: Socket): Promise<void> {
      if (from === client && cutAt !== undefined && chunk.includes(cutAt)) {
        cutAt = undefined;
        way.cut = true;
      } else if (way.cut && from === upstream) {
        client.destroy();
        upstream.destroy();
        return;
      }
      if (lostAt !== undefined && chunk.includes(lostAt)) {
        lostAt = undefined;
        way.lost = true;
      }
      if (wait > 0) await delay(wait);
      way.lost ||= !open;
      if (!way.lost) other.write(chunk);
    }
  });
  async function drip(chunk: Buffer, to: Socket): Promise<void> {
    for (let at = 0; at < chunk.length && !to.destroyed; at++) {
      await delay(pace);
      to.write(chunk.subarray(at, at + 1));
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    cut();
    await closed;
  };
  t.after(close);
  const url = new URL(to);
  url.port = String(address.port);
  return {
    url: url.href,
    connections: () => sockets.size / 2,
    slow: milliseconds => {
      wait = milliseconds;
    },
    drip: milliseconds => {
      pace = milliseconds;
    },
    blackHole: () => {
      open = false;
    },
    heal: () => {
      open = true;
      pace = 0;
    },
    lead: to => {
      target = new URL(to);
    },
    cut,
    cutAnswerTo: text => {
      cutAt = text;
    },
    loseAt: text => {
      lostAt = text;
    },
    close,
  };
}
