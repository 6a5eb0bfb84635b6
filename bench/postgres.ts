/**
 * `GET /me` a second on PostgreSQL, against the same service on SQLite, and against itself with every look-up sent alone.
 * The services, the database server and the load share the machine, and take turns round by round.
 * `node bench/postgres.ts [rounds] [seconds each]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../test/helpers/postgres/start.ts';
import { rawRequest } from './support/exchange.ts';
import { registerPeople } from './support/people.ts';
import { forkServer, type Server, startLoader } from './support/processes.ts';
import { median, printTable, storeJson } from './support/report.ts';

const rounds = Number(process.argv[2] ?? 7);
const seconds = Number(process.argv[3] ?? 2);
const people = 200;

await using closing = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'plinth-postgres-bench-'));
closing.defer(() => rmSync(folder, { recursive: true }));
const { url, end } = await startPostgres();
closing.defer(end);

const variants = {
  SQLite: [`sqlite:${folder}/plinth.db`, 'together'],
  PostgreSQL: [url, 'together'],
  'PostgreSQL, each alone': [url, 'apart'],
} as const;
const loader = startLoader();
closing.defer(loader.stop);
const runs: Run[] = [];
for (const [name, [database, reads]] of Object.entries(variants)) {
  const server = await forkServer('database-server.ts', [folder, database, reads]);
  closing.defer(server.stop);
  const prefix = name === 'PostgreSQL, each alone' ? 'alone' : 'person';
  const tokens = await registerPeople(server.port, people, prefix);
  const requests = tokens.map(token => rawRequest('/me', token));
  for (const connections of [1, 32, 128, 512])
    runs.push({ name, server, requests, connections, samples: [] });
}

interface Run {
  readonly name: string;
  readonly server: Server;
  readonly requests: readonly string[];
  readonly connections: number;
  readonly samples: Sample[];
}

interface Sample {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

// The first round is for the compilers and does not count.
for (let round = 0; round <= rounds; round++) {
  for (const { server, requests, connections, samples } of runs) {
    const measured = await loader.run({ port: server.port, connections, seconds, requests });
    const { p50, p99 } = measured;
    if (round > 0) samples.push({ rate: measured.requests / measured.seconds, p50, p99 });
  }
}

const table = runs.map(({ name, connections, samples }) => {
  const of = (other: string): number => {
    const base = runs.find(run => run.name === other && run.connections === connections)?.samples ?? [];
    // Round by round, so that what else ran on the machine meanwhile met both.
    return rounded(median(samples.map((sample, at) => sample.rate / (base[at]?.rate ?? Number.NaN))));
  };
  return {
    database: name,
    connections,
    requests_per_second: Math.round(median(samples.map(({ rate }) => rate))),
    of_sqlite: of('SQLite'),
    of_each_alone: of('PostgreSQL, each alone'),
    p50_ms: rounded(median(samples.map(({ p50 }) => p50))),
    p99_ms: rounded(median(samples.map(({ p99 }) => p99))),
    rounds: samples.map(({ rate }) => Math.round(rate)),
  };
});
printTable(
  ['', 'connections', 'requests/s', 'of SQLite', 'of each alone', 'p50 ms', 'p99 ms'],
  table.map(row => [
    row.database,
    String(row.connections),
    String(row.requests_per_second),
    row.of_sqlite.toFixed(2),
    row.of_each_alone.toFixed(2),
    row.p50_ms.toFixed(2),
    row.p99_ms.toFixed(2),
  ]),
);
storeJson('postgres', { people, rounds, seconds, table });

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
