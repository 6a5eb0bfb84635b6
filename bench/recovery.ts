/**
 * Whether the service is itself again after an overload: half of what it can do, then five times that, refused requests
 * coming back, then half again. `GET /me` is asked 50 times a second all the time. Twice: a mix of everything, which the
 * hashes bound, and `GET /me` from so many clients at once that they could keep new connections waiting.
 * `node bench/recovery.ts [--overload 60] [--cost 10] [--clients 3000]`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { rawRequest } from './support/exchange.ts';
import type { Offer, Offered } from './support/offer.ts';
import { registerPeople } from './support/people.ts';
import { startService } from './support/processes.ts';
import { printTable, storeJson } from './support/report.ts';

const { values } = parseArgs({
  options: {
    overload: { type: 'string', default: '60' },
    cost: { type: 'string', default: '10' },
    clients: { type: 'string', default: '3000' },
  },
});
const overload = Number(values.overload);
const clients = Number(values.clients);

await using closing = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'plinth-recovery-'));
closing.defer(() => rmSync(folder, { recursive: true }));
const service = await startService(folder, { BCRYPT_COST: values.cost });
closing.defer(service.stop);
// Without the first: who logs in again and again ends the oldest of their sessions.
const [, ...tokens] = await registerPeople(service.port, 20);
const loader = fork(new URL('support/offer.ts', import.meta.url));
closing.defer(() => void loader.kill());

const post = (path: string, body: object, method = 'POST', token = ''): string => {
  const text = JSON.stringify(body);
  const authorization = token && `authorization: Bearer ${token}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${authorization}`;
  return `${head}content-length: ${text.length}\r\n\r\n${text}`;
};
const password = 'a very good passphrase 0';
const me = tokens.map(token => rawRequest('/me', token));
const mix = tokens.flatMap((token, at) => [
  ...Array.from({ length: 7 }, () => rawRequest('/me', token)),
  post('/me', { name: `Ada ${at}` }, 'PATCH', token),
  post('/users', { email: `again${at}@example.com`, password }),
  post('/login', { email: at % 2 ? 'person00000@example.com' : `nobody${at}@example.com`, password }),
]);

interface Asked {
  /** Milliseconds since the beginning of the measurement. */
  readonly at: number;
  readonly ms: number;
  readonly ok: boolean;
}
const origin = performance.now();
const asked: Asked[] = [];
let asking = true;
const probe = (async () => {
  while (asking) {
    const at = performance.now();
    void fetch(`http://127.0.0.1:${service.port}/me`, { headers: { authorization: `Bearer ${tokens[0]}` } })
      .then(async answer => {
        await answer.arrayBuffer();
        asked.push({ at: at - origin, ms: performance.now() - at, ok: answer.status === 200 });
      })
      .catch(() => asked.push({ at: at - origin, ms: performance.now() - at, ok: false }));
    await pause(20);
  }
})();

const capacity = total(await offer({ requests: mix, clients: 32, seconds: 8 })) / 8;
const meCapacity = total(await offer({ requests: me, clients: 32, seconds: 5 })) / 5;
await pause(2000);
const results = [
  await recovery('everything', { requests: mix, rate: capacity / 2 }, { requests: mix, rate: capacity * 5 }),
  await recovery('/me', { requests: me, rate: Math.min(meCapacity / 2, 2000) }, { requests: me, clients }),
];
asking = false;
await probe;
printTable(
  ['', 'offered/s', 'served/s', 'refused/s', 'p99 before', 'during', 'served during', 'back after s'],
  results.map(row => [
    row.name,
    row.offered.toFixed(0),
    row.served.toFixed(0),
    row.refused.toFixed(0),
    row.before.toFixed(1),
    row.during.toFixed(1),
    `${(row.share * 100).toFixed(1)} %`,
    row.back.toFixed(0),
  ]),
);
storeJson('recovery', { cost: Number(values.cost), overload, clients, capacity, meCapacity, results });
if (results.some(({ back }) => back > 5)) process.exitCode = 1;

type Load = Omit<Offer, 'port' | 'seconds'>;

async function recovery(name: string, half: Load, much: Load) {
  const began = performance.now() - origin;
  await offer({ ...half, seconds: 10 });
  const from = performance.now() - origin;
  const statuses = await offer({ ...much, seconds: overload });
  const until = performance.now() - origin;
  await offer({ ...half, seconds: 15 });
  await pause(500);
  const before = percentile(within(began + 2000, from), 0.99);
  const during = within(from, until);
  // Back is where a second, and each after it, is like those before: nothing refused, and nine in ten of the answers no
  // slower than twice the slowest of before. Of fifty, a single one that a pause of the machine made late says nothing.
  const after = Array.from({ length: 14 }, (_, second) => {
    const answers = within(until + second * 1000, until + (second + 1) * 1000);
    return { p90: percentile(answers, 0.9), failed: answers.filter(({ ok }) => !ok).length };
  });
  const back =
    after.findLastIndex(({ p90, failed }) => p90 > Math.max(2 * before, before + 20) || failed > 0) + 1;
  const refused = (statuses[503] ?? 0) / overload;
  return {
    name,
    offered: total(statuses) / overload,
    served: total(statuses) / overload - refused - (statuses[0] ?? 0) / overload,
    refused,
    before,
    during: percentile(during, 0.99),
    share: during.filter(({ ok }) => ok).length / during.length,
    back,
    after,
    statuses,
  };
}

async function offer(load: Load & { readonly seconds: number }): Promise<Offered> {
  loader.send({ port: service.port, ...load });
  const [offered] = (await once(loader, 'message')) as [Offered];
  return offered;
}

function total(offered: Offered): number {
  return Object.values(offered).reduce((sum, count) => sum + count, 0);
}

function within(from: number, until: number): Asked[] {
  return asked.filter(({ at }) => at >= from && at < until);
}

function percentile(answers: readonly Asked[], part: number): number {
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  return times[Math.floor(times.length * part)] ?? Number.NaN;
}
