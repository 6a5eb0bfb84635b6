/**
 * Load that does not care whether it is served: so many requests a second, each when it is due, on connections of their own
 * where the others are busy; or so many clients that each ask again at once. A refused request comes back twice, after a second
 * or so. A process of its own; each message of the parent is an `Offer`, each answer an `Offered`.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export interface Offer {
  readonly port: number;
  readonly seconds: number;
  /** Requests a second, or clients. */
  readonly rate?: number;
  readonly clients?: number;
  /** Whole requests, sent in turn. */
  readonly requests: readonly string[];
}

/** How many answers had which status. 0: none came. */
export type Offered = Readonly<Record<number, number>>;

/** Connections at once. */
const most = 4000;

process.on('message', (offer: Offer) => {
  run(offer).then(offered => process.send?.(offered));
});
process.once('disconnect', () => process.exit());

async function run({ port, seconds, rate = 0, clients = 0, requests }: Offer): Promise<Offered> {
  const statuses: Record<number, number> = {};
  const idle: Socket[] = [];
  let open = 0;
  let next = 0;
  const end = performance.now() + seconds * 1000;

  const send = async (attempts: number): Promise<void> => {
    const request = requests[next++ % requests.length] ?? '';
    let socket = idle.pop();
    if (!socket) {
      if (open >= most) return;
      open++;
      socket = connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1');
      socket.once('close', () => {
        open--;
      });
    }
    const status = await exchange(socket, request);
    if (status > 0) idle.push(socket);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status !== 503 || attempts === 0 || performance.now() > end) return;
    await pause(1000 * (0.5 + Math.random()));
    await send(attempts - 1);
  };

  const pending = new Set<Promise<void>>();
  const start = performance.now();
  const client = async (): Promise<void> => {
    while (performance.now() < end) await send(0);
  };
  if (clients > 0) await Promise.all(Array.from({ length: clients }, client));
  for (let sent = 0; clients === 0 && performance.now() < end; ) {
    if (performance.now() < start + (sent * 1000) / rate) {
      await pause(1);
      continue;
    }
    sent++;
    const one = send(2).finally(() => pending.delete(one));
    pending.add(one);
  }
  // Those that are late are late; nobody waits for them.
  await Promise.race([Promise.all(pending), pause(100)]);
  for (const socket of idle) socket.destroy();
  return statuses;
}

/** The status of the answer; 0 where the connection ends before. */
function exchange(socket: Socket, request: string): Promise<number> {
  return new Promise(resolve => {
    let text = '';
    const settle = (status: number): void => {
      socket.off('data', onData).off('error', onEnd).off('close', onEnd);
      if (status === 0) socket.on('error', () => undefined).destroy();
      resolve(status);
    };
    const onEnd = (): void => settle(0);
    const onData = (chunk: string): void => {
      text += chunk;
      const bodyAt = text.indexOf('\r\n\r\n') + 4;
      const [, length = '0'] = /content-length: (\d+)/i.exec(text) ?? [];
      if (bodyAt >= 4 && text.length >= bodyAt + Number(length)) settle(Number(text.slice(9, 12)));
    };
    socket.on('data', onData).on('error', onEnd).on('close', onEnd);
    socket.write(request, 'latin1');
  });
}
