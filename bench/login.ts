/**
 * Logins a second through HTTP, and how long each takes: the service as it is, and the same service with `@node-rs/bcrypt`
 * and with `bcrypt` on libuv's pool, each a process of its own, by turns in one run.
 * `node bench/login.ts [--cost 12] [--seconds 4] [--rounds 3] [--concurrency 1,2,4,16,64]`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { lineChart } from './support/lines.ts';
import { median, printTable, storeJson, storeSvg } from './support/report.ts';

const { values } = parseArgs({
  options: {
    cost: { type: 'string', default: '12' },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '1,2,4,16,64' },
  },
});
const concurrencies = values.concurrency.split(',').map(Number);
const milliseconds = Number(values.seconds) * 1000;
const engines = ['lanes', '@node-rs/bcrypt', 'bcrypt'];
const credentials = { email: 'ada@example.com', password: 'a very good passphrase' };

interface Sample {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

await using closing = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'plinth-login-'));
closing.defer(() => rmSync(folder, { recursive: true }));
const servers = await Promise.all(engines.map(start));

const runs = concurrencies.flatMap(concurrency =>
  servers.map(server => ({ ...server, concurrency, samples: [] as Sample[] })),
);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const run of runs) run.samples.push(await measure(run.port, run.concurrency));
}

const table = runs.map(({ concurrency, engine, samples }) => {
  const of = (key: keyof Sample): number => median(samples.map(sample => sample[key]));
  const ours = runs.find(run => run.concurrency === concurrency && run.engine === 'lanes')?.samples ?? [];
  // Round by round, so that what else ran on the machine met both.
  const times = median(samples.map((sample, at) => (ours[at]?.rate ?? Number.NaN) / sample.rate));
  return { concurrency, engine, rate: of('rate'), lanes_times: times, p50: of('p50'), p99: of('p99') };
});
printTable(
  ['clients', 'hashing', 'logins/s', 'lanes ×', 'p50 ms', 'p99 ms'],
  table.map(({ concurrency, engine, rate, lanes_times, p50, p99 }) => [
    String(concurrency),
    engine,
    rate.toFixed(1),
    lanes_times.toFixed(2),
    p50.toFixed(0),
    p99.toFixed(0),
  ]),
);
storeJson(`login-${values.cost}`, { cost: Number(values.cost), rounds: Number(values.rounds), table });
const series = (key: 'rate' | 'p50') =>
  engines.map(engine => ({
    label: engine,
    points: table.filter(row => row.engine === engine).map(row => [row.concurrency, row[key]] as const),
  }));
storeSvg(
  `login-${values.cost}`,
  lineChart(`Logins at cost ${values.cost}, by clients at once`, [
    { title: 'logins a second', series: series('rate') },
    { title: 'median latency, ms', series: series('p50') },
  ]),
);

async function start(engine: string) {
  const own = join(folder, String(engines.indexOf(engine)));
  mkdirSync(own);
  const child = fork(new URL('support/login-server.ts', import.meta.url), [own, engine, values.cost]);
  closing.defer(async () => {
    const exited = once(child, 'exit');
    child.kill();
    await exited;
  });
  const [port] = await once(child, 'message');
  await post(port, '/users', 201);
  return { engine, port: Number(port) };
}

/** Clients who each log in again as soon as they are in; the last login of each does not count. */
async function measure(port: number, clients: number): Promise<Sample> {
  const latencies: number[] = [];
  const start = performance.now();
  // Long enough for everybody's first login at three a second, which is what the slowest of the three does.
  const end = start + Math.max(milliseconds, clients * 400);
  let last = start;
  const client = async (): Promise<void> => {
    for (;;) {
      const begun = performance.now();
      await post(port, '/login', 200);
      const now = performance.now();
      if (now > end) return;
      latencies.push(now - begun);
      last = now;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? Number.NaN;
  return { rate: (latencies.length * 1000) / (last - start), p50: quantile(0.5), p99: quantile(0.99) };
}

async function post(port: number, path: string, expected: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(credentials),
  });
  const text = await response.text();
  if (response.status !== expected) throw new Error(`${path}: ${response.status} ${text}`);
}
