/**
 * What the limits cost a login: the service with them and without, each a process on a database of its own, by turns, one
 * login at a time of somebody whose source is known. `node bench/limits.ts [rounds] [logins each] [cost]`
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startService } from './support/processes.ts';
import { median, printTable, storeJson } from './support/report.ts';

const [rounds = 7, logins = 20, cost = 12] = process.argv.slice(2).map(Number);
const person = { email: 'ada@example.com', password: 'a very good passphrase' };
const limited = { LOGIN_LIMIT_ACCOUNT: '10', LOGIN_LIMIT_SOURCE: '100', NEW_PASSWORD_LIMIT: '100' };

await using closing = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'plinth-limits-'));
closing.defer(() => rmSync(folder, { recursive: true }));
const with_ = await start('with limits', limited);
const without = await start('without', {});

// The first round is for the compilers and does not count.
for (let round = 0; round <= rounds; round++) {
  for (const run of [with_, without]) {
    const times: number[] = [];
    while (times.length < logins) times.push(await login(run.port));
    if (round > 0) run.medians.push(median(times));
  }
}

const table = [with_, without].map(({ name, medians }) => ({ name, p50_ms: rounded(median(medians)) }));
// Round by round, so that what else ran on the machine met both.
const more = rounded(median(with_.medians.map((one, at) => one - (without.medians[at] ?? Number.NaN))));
printTable(
  ['logins at cost', 'p50 ms'],
  [...table, { name: 'the limits', p50_ms: more }].map(({ name, p50_ms }) => [name, p50_ms.toFixed(2)]),
);
storeJson('limits', { cost, rounds, logins, table, more_ms: more });

async function start(name: string, settings: Readonly<Record<string, string>>) {
  const own = join(folder, name);
  mkdirSync(own);
  const { port, stop } = await startService(own, { BCRYPT_COST: String(cost), ...settings });
  closing.defer(stop);
  await post(port, '/users', 201);
  return { name, port, medians: [] as number[] };
}

async function login(port: number): Promise<number> {
  const begun = performance.now();
  await post(port, '/login', 200);
  return performance.now() - begun;
}

async function post(port: number, path: string, expected: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(person),
  });
  if (response.status !== expected) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  await response.text();
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
