/**
 * Thousands of clients that send or read as slowly as they can, while somebody asks `GET /me` 50 times a second; then as many
 * idle connections. `node test/soak/slow-clients.ts --connections 4000 --idle 10000`. Both ends are on this machine: the
 * shell that starts it has to allow as many open files (`ulimit -n`). Says when the last was cut off, and how the memory of
 * the service grew. With `--seconds`, what each mode is given at most.
 *
 * The same with slowhttptest, against a service on port 3000, in turn with -H, -B and -X:
 * `slowhttptest -c 4000 -r 1000 -l 30 -H -i 5 -u http://127.0.0.1:3000/me`
 * `slowhttptest -c 4000 -r 1000 -l 30 -B -i 5 -s 8192 -u http://127.0.0.1:3000/login`
 * `slowhttptest -c 4000 -r 1000 -l 30 -X -n 5 -z 32 -w 256 -y 512 -k 3 -u http://127.0.0.1:3000/docs/swagger-ui.js`
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { rawRequest } from '../../bench/support/exchange.ts';
import { registerPeople } from '../../bench/support/people.ts';
import { resident, startService } from '../../bench/support/processes.ts';
import { printTable } from '../../bench/support/report.ts';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '4000' },
    idle: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '30' },
  },
});
const [connections, idle, seconds] = [values.connections, values.idle, values.seconds].map(Number) as [
  number,
  number,
  number,
];

const post = 'POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
const piece = '1\r\n \r\n';
/** Those who send a body in pieces of a byte are fewer: they send 30 KB each, which is 5,000 pieces to be looked at. */
const modes: readonly (readonly [name: string, first: string, drip: string, part: number])[] = [
  ['header', 'GET /me HTTP/1.1\r\nhost: x\r\n', 'x: y\r\n', 1],
  ['body', `${post}content-length: 8192\r\n\r\n`, ' ', 1],
  ['pieces', `${post}transfer-encoding: chunked\r\n\r\n${piece.repeat(5000)}`, piece, 0.025],
  ['read', rawRequest('/docs/swagger-ui.js').repeat(8), '', 1],
];

const folder = mkdtempSync(join(tmpdir(), 'plinth-slow-'));
const service = await startService(folder, { LOG_LEVEL: 'warn' });
const failures: string[] = [];
const rows: string[][] = [];
try {
  const [token = ''] = await registerPeople(service.port, 1);
  await beside(token, pause(2000));
  for (const [name, first, drip, part] of modes) {
    const count = Math.ceil(connections * part);
    const before = resident(service.pid);
    const slow: Slow[] = [];
    for (let n = 0; n < count; n++) {
      slow.push(hold(first, drip));
      if (n % 100 === 99) await pause(50);
    }
    let most = before;
    const { promise: allGone, resolve } = Promise.withResolvers<void>();
    const watch = setInterval(() => {
      most = Math.max(most, resident(service.pid));
      const open = clientPorts(service.port);
      for (const one of slow)
        one.gone ??= open.has(one.socket.localPort ?? 0) ? undefined : performance.now();
      if (slow.every(({ gone }) => gone !== undefined)) resolve();
    }, 250);
    const over = Promise.race([allGone, pause(seconds * 1000)]);
    const { times, failed } = await beside(token, over);
    clearInterval(watch);
    const ages = slow.map(({ began, gone = Number.POSITIVE_INFINITY }) => gone - began);
    for (const { socket } of slow) socket.destroy();
    const longest = Math.max(...ages) / 1000;
    rows.push([
      `${count} slow, ${name}`,
      longest.toFixed(1),
      (most - before).toFixed(0),
      `${failed} of ${times.length}`,
      quantile(times, 0.99),
    ]);
    if (longest > 15) failures.push(`${name}: the last was there for ${longest.toFixed(1)} s`);
    if (most - before > 100) failures.push(`${name}: ${(most - before).toFixed(0)} MB more`);
    if (failed > 0) failures.push(`${name}: ${failed} requests beside failed`);
    await pause(1000);
  }

  const held: Slow[] = [];
  for (let n = 0; n < idle; n++) {
    held.push(hold(rawRequest('/health/live'), ''));
    if (n % 200 === 199) await pause(50);
  }
  const { times, failed } = await beside(token, pause(5000));
  const ports = clientPorts(service.port);
  const open = held.filter(({ socket }) => ports.has(socket.localPort ?? 0)).length;
  const memory = resident(service.pid);
  rows.push([
    `${open} idle`,
    '',
    `${memory.toFixed(0)} in all`,
    `${failed} of ${times.length}`,
    quantile(times, 0.99),
  ]);
  if (open < idle) failures.push(`only ${open} idle connections were kept`);
  if (memory > 300) failures.push(`${memory.toFixed(0)} MB with ${open} idle connections`);
  for (const { socket } of held) socket.destroy();
} finally {
  await service.stop();
  rmSync(folder, { recursive: true });
}
printTable(['', 'the last gone after s', 'MB more', '/me failed', '/me p99 ms'], rows);
for (const failure of failures) process.stdout.write(`${failure}\n`);
process.exit(failures.length > 0 ? 1 : 0);

interface Slow {
  readonly socket: Socket;
  /** Milliseconds; when it was seen first that the service has not got it any more. */
  readonly began: number;
  gone?: number | undefined;
}

/** Sends this, and then that every three seconds, or reads 32 bytes then. */
function hold(first: string, drip: string): Slow {
  const socket = connect({ port: service.port, host: '127.0.0.1' }).on('error', () => undefined);
  socket.write(first);
  const timer = setInterval(() => (drip === '' ? socket.read(32) : socket.write(drip)), 3000);
  socket.on('close', () => clearInterval(timer));
  return { socket, began: performance.now() };
}

/** The ports of those to whom the service has a connection, as the system sees it: a slow client learns of the end late. */
function clientPorts(port: number): ReadonlySet<number> {
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const rows = lines.map(line => line.trim().split(/\s+/));
  const here = rows.filter(([, local = '', , state]) => state === '01' && portOf(local) === port);
  return new Set(here.map(([, , remote = '']) => portOf(remote)));
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}

/** `GET /me`, 50 times a second, until that is over. */
async function beside(token: string, over: Promise<unknown>): Promise<{ times: number[]; failed: number }> {
  let running = true;
  void over.then(() => {
    running = false;
  });
  const times: number[] = [];
  let failed = 0;
  const pending: Promise<void>[] = [];
  while (running) {
    pending.push(ask());
    await pause(20);
  }
  await Promise.all(pending);
  return { times, failed };

  async function ask(): Promise<void> {
    const began = performance.now();
    const url = `http://127.0.0.1:${service.port}/me`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } }).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status !== 200) failed++;
    times.push(performance.now() - began);
  }
}

function quantile(times: readonly number[], q: number): string {
  return (times.toSorted((a, b) => a - b)[Math.floor(times.length * q)] ?? Number.NaN).toFixed(1);
}
