/**
 * Durable refreshes a second: clients who each renew a session of their own, against the service as an operator starts it, on
 * SQLite in a file; and what `GET /me` takes meanwhile, asked by eight others every 10 ms, against the same without refreshes, rounds by
 * turns. With `postgres`, on a server beside it that keeps what it commits. `node bench/refresh.ts [rounds] [seconds each]
 * [clients] [sqlite|postgres]`
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../test/helpers/postgres/start.ts';
import type { Clients, Served } from './support/clients.ts';
import { cpuTime, startService } from './support/processes.ts';
import { median, printTable, storeJson } from './support/report.ts';

const rounds = Number(process.argv[2] ?? 7);
const seconds = Number(process.argv[3] ?? 3);
const clients = Number(process.argv[4] ?? 64);
const engine = process.argv[5] ?? 'sqlite';
const asking = 8;

await using closing = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'plinth-refresh-'));
closing.defer(() => rmSync(folder, { recursive: true }));
const service = await startService(folder, {
  MAX_SESSIONS: String(clients + asking),
  ...(engine === 'postgres' && (await onPostgres())),
});
closing.defer(service.stop);
const sessions = await openSessions(clients + asking);
const askers = {
  ask: 'me',
  tokens: sessions.slice(clients).map(one => one.access_token),
  pause: 10,
} as const;
let refreshTokens = sessions.slice(0, clients).map(one => one.refresh_token);
const [others, renewers] = [startClients(), startClients()];

const samples: Sample[] = [];
interface Sample {
  /** Syncs a second of the same file system, one after the other. */
  readonly syncs: number;
  readonly quiet: Served;
  readonly busy: Served;
  readonly refreshes: Served;
  /** Microseconds of processor time of the service for each refresh, with its share of `GET /me`. */
  readonly cpu: number;
  /** The parts of the time in which the service's event loop ran, and could have but had no core. */
  readonly loop: { readonly ran: number; readonly waited: number };
}

// The first round is for the compilers and does not count.
for (let round = 0; round <= rounds; round++) {
  const syncs = syncsASecond();
  const quiet = await others({ port: service.port, seconds, ...askers });
  const before = { all: cpuTime(service.pid), loop: loopTime(service.pid) };
  const [busy, refreshes] = await Promise.all([
    others({ port: service.port, seconds, ...askers }),
    renewers({ port: service.port, seconds, ask: 'refresh', tokens: refreshTokens, pause: 0 }),
  ]);
  refreshTokens = [...refreshes.tokens];
  if (round === 0) continue;
  const cpu = ((cpuTime(service.pid) - before.all) * 1000) / refreshes.requests;
  const after = loopTime(service.pid);
  const loop = {
    ran: (after.ran - before.loop.ran) / refreshes.seconds,
    waited: (after.waited - before.loop.waited) / refreshes.seconds,
  };
  samples.push({ syncs, quiet, busy, refreshes, cpu, loop });
}

const of = (pick: (sample: Sample) => number): number => Math.round(median(samples.map(pick)) * 100) / 100;
const rate = ({ requests, seconds: took }: Served): number => requests / took;
const result = {
  refreshes_per_second: of(sample => rate(sample.refreshes)),
  refresh_p50_ms: of(sample => sample.refreshes.p50),
  refresh_p99_ms: of(sample => sample.refreshes.p99),
  syncs_per_second_one_by_one: of(sample => sample.syncs),
  cpu_us_per_refresh: of(sample => sample.cpu),
  event_loop_ran: of(sample => sample.loop.ran),
  event_loop_waited: of(sample => sample.loop.waited),
  me_per_second_without: of(sample => rate(sample.quiet)),
  me_p50_ms_without: of(sample => sample.quiet.p50),
  me_p99_ms_without: of(sample => sample.quiet.p99),
  me_per_second_with: of(sample => rate(sample.busy)),
  me_p50_ms_with: of(sample => sample.busy.p50),
  me_p99_ms_with: of(sample => sample.busy.p99),
};
const shown = (value: number): string => value.toFixed(2);
printTable(
  ['', 'a second', 'p50 ms', 'p99 ms'],
  [
    [
      `POST /refresh, ${clients} clients`,
      shown(result.refreshes_per_second),
      shown(result.refresh_p50_ms),
      shown(result.refresh_p99_ms),
    ],
    [
      'GET /me, no refreshes',
      shown(result.me_per_second_without),
      shown(result.me_p50_ms_without),
      shown(result.me_p99_ms_without),
    ],
    [
      'GET /me meanwhile',
      shown(result.me_per_second_with),
      shown(result.me_p50_ms_with),
      shown(result.me_p99_ms_with),
    ],
  ],
);
process.stdout.write(
  `the event loop ran ${result.event_loop_ran} of the time and waited ${result.event_loop_waited} of it for a core; ` +
    `${result.cpu_us_per_refresh} µs of processor time for each refresh\n` +
    `this disk syncs ${result.syncs_per_second_one_by_one} times a second, one after the other\n`,
);
const list = samples.map(sample => Math.round(rate(sample.refreshes)));
storeJson(engine === 'postgres' ? 'refresh-postgres' : 'refresh', {
  clients,
  asking,
  rounds,
  seconds,
  ...result,
  refreshes_by_round: list,
});

async function onPostgres(): Promise<Record<string, string>> {
  const { url, end } = await startPostgres(['fsync=on', 'full_page_writes=on', 'synchronous_commit=on']);
  closing.defer(end);
  return { DATABASE_URL: url, SECRET: randomBytes(32).toString('base64url') };
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** So many of one person. */
async function openSessions(count: number): Promise<Tokens[]> {
  const person = { email: 'ada@example.com', password: 'a very good passphrase' };
  await post('/users', person, 201);
  const opened: Tokens[] = [];
  while (opened.length < count) opened.push(await post('/login', person, 200));
  return opened;
}

async function post(path: string, body: object, expected: number): Promise<Tokens> {
  const response = await fetch(`http://127.0.0.1:${service.port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.status !== expected) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Tokens;
}

function startClients(): (clients: Clients) => Promise<Served> {
  const child = fork(new URL('support/clients.ts', import.meta.url), { serialization: 'advanced' });
  child.once('exit', code => {
    if (code) throw new Error('the clients failed');
  });
  closing.defer(() => {
    if (child.connected) child.disconnect();
  });
  return async load => {
    child.send(load);
    const [served] = await once(child, 'message');
    return served;
  };
}

/** Seconds that the first thread of a process has run, and has waited to. Linux. */
function loopTime(pid: number): { readonly ran: number; readonly waited: number } {
  const [ran, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return { ran: Number(ran) / 1e9, waited: Number(waited) / 1e9 };
}

/** Writes and syncs a page at a time, in the folder of the database. */
function syncsASecond(): number {
  const file = openSync(join(folder, 'syncs'), 'w');
  const page = Buffer.alloc(4096, 1);
  const start = performance.now();
  let count = 0;
  for (; performance.now() < start + 300; count++) {
    writeSync(file, page, 0, page.length, (count % 256) * page.length);
    fdatasyncSync(file);
  }
  closeSync(file);
  return Math.round((count * 1000) / (performance.now() - start));
}
