/**
 * Requests a second: the service, as an operator starts it, against a bare `node:http` server that sends the same bytes.
 * Both are processes of their own and take turns, round by round. `LOG_LEVEL=silent` comes along to show what logging costs.
 * `node bench/http.ts [rounds] [seconds each]`
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { barChart } from './support/bars.ts';
import { rawAnswer, rawRequest } from './support/exchange.ts';
import { registerPeople } from './support/people.ts';
import { cpuTime, startBare, startLoader, startService } from './support/processes.ts';
import { median, printTable, storeJson, storeSvg } from './support/report.ts';

const rounds = Number(process.argv[2] ?? 7);
const seconds = Number(process.argv[3] ?? 2);
const connections = 32;
const people = 200;

await using closing = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'plinth-http-'));
closing.defer(() => rmSync(folder, { recursive: true }));
const service = await startService(folder);
closing.defer(service.stop);
const silent = await startService(folder, { LOG_LEVEL: 'silent' });
closing.defer(silent.stop);

const tokens = await registerPeople(service.port, people);
const requestsOf = {
  '/me': tokens.map(token => rawRequest('/me', token)),
  '/health': [rawRequest('/health')],
  '/health/live': [rawRequest('/health/live')],
};
const answers = Object.fromEntries(
  await Promise.all(
    Object.entries(requestsOf).map(async ([path, [request]]) => [
      path,
      await rawAnswer(service.port, request),
    ]),
  ),
);
const bare = await startBare(answers);
closing.defer(bare.stop);
for (const [path, [request]] of Object.entries(requestsOf)) {
  const [ours, theirs] = [answers[path], await rawAnswer(bare.port, request)];
  if (ours.bytes !== theirs.bytes)
    throw new Error(`${path}: ${ours.bytes} bytes here, ${theirs.bytes} there`);
}

const loader = startLoader();
closing.defer(loader.stop);
const servers = { 'bare node:http': bare, service, 'service, no log': silent };
const runs = Object.entries(requestsOf).flatMap(([path, requests]) =>
  Object.entries(servers).map(([name, server]) => ({
    path,
    name,
    server,
    requests,
    samples: [] as Sample[],
  })),
);

interface Sample {
  readonly rate: number;
  /** Microseconds of processor time of the server for each request. */
  readonly cpu: number;
  readonly p50: number;
  readonly p99: number;
}

// The first round is for the compilers and does not count.
for (let round = 0; round <= rounds; round++) {
  for (const { server, requests, samples } of runs) {
    const before = cpuTime(server.pid);
    const measured = await loader.run({ port: server.port, connections, seconds, requests });
    const cpu = ((cpuTime(server.pid) - before) * 1000) / measured.requests;
    const { p50, p99 } = measured;
    if (round > 0) samples.push({ rate: measured.requests / measured.seconds, cpu, p50, p99 });
  }
}

const table = runs.map(({ path, name, samples }) => {
  const base = runs.find(run => run.path === path && run.server === bare)?.samples ?? [];
  return {
    path,
    server: name,
    requests_per_second: Math.round(median(samples.map(sample => sample.rate))),
    // Round by round, so that what else ran on the machine meanwhile met both.
    of_bare: rounded(median(samples.map((sample, at) => sample.rate / (base[at]?.rate ?? Number.NaN)))),
    cpu_us: rounded(median(samples.map(sample => sample.cpu))),
    p50_ms: rounded(median(samples.map(sample => sample.p50))),
    p99_ms: rounded(median(samples.map(sample => sample.p99))),
    rounds: samples.map(sample => Math.round(sample.rate)),
  };
});

printTable(
  ['', 'requests/s', 'of bare', 'CPU µs', 'p50 ms', 'p99 ms'],
  table.map(row => [
    `${row.path.padEnd(14)}${row.server}`,
    String(row.requests_per_second),
    row.of_bare.toFixed(2),
    row.cpu_us.toFixed(1),
    row.p50_ms.toFixed(2),
    row.p99_ms.toFixed(2),
  ]),
);
const lines = readFileSync(join(folder, 'log'), 'utf8').split('\n').length;
process.stdout.write(`${lines} lines of log\n`);
storeJson('http', { connections, people, rounds, seconds, table });
storeSvg(
  'http',
  barChart(
    `Requests a second, ${connections} connections, ${people} people`,
    Object.keys(requestsOf).map(path => ({
      title: `GET ${path}`,
      bars: table
        .filter(row => row.path === path)
        .map(row => ({
          label: row.server,
          value: row.requests_per_second,
          note: `${row.requests_per_second.toLocaleString('en')}${row.server.startsWith('service') ? ` (${row.of_bare.toFixed(2)})` : ''}`,
          kind: row.server.startsWith('service') ? 'ours' : 'other',
        })),
    })),
  ),
);

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
