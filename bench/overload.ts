/**
 * What else the service does while far more logins are offered than it can do: `GET /me` at a fixed rate beside logins at
 * a multiple of the measured capacity, all sent when they are due, whether or not those before have been answered. Half of the
 * logins are of people who do not exist. Then the same rate from a single source, with the right password, and beside it one
 * login a second from another source.
 * `node bench/overload.ts [--cost 12] [--seconds 60] [--times 5] [--me 500]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Answer, type Connection, openConnection, rawPost } from './support/connection.ts';
import { rawRequest } from './support/exchange.ts';
import { startService } from './support/processes.ts';
import { printTable, storeJson } from './support/report.ts';

const { values } = parseArgs({
  options: {
    cost: { type: 'string', default: '12' },
    seconds: { type: 'string', default: '60' },
    times: { type: 'string', default: '5' },
    me: { type: 'string', default: '500' },
  },
});
const seconds = Number(values.seconds);
const password = 'a very good passphrase';

interface Outcome {
  readonly status: number;
  readonly ms: number;
}

await using closing = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'plinth-overload-'));
closing.defer(() => rmSync(folder, { recursive: true }));
const service = await startService(folder, { BCRYPT_COST: values.cost, TRUSTED_PROXIES: '127.0.0.1' });
closing.defer(service.stop);
const idle: Connection[] = [];
closing.defer(async () => {
  for (const connection of idle) await connection[Symbol.asyncDispose]();
});

for (const email of ['ada@example.com', 'grace@example.com'])
  await send(rawPost('/users', { email, password }));
// Of somebody who does not log in again and again: the oldest session of one who does ends.
const { token } = await login('grace@example.com');

// The capacity: as many at once as keep every lane full.
const capacity = await closedLoop(16, 10_000);
const alone = await openLoop(Number(values.me), 5, () => send(rawRequest('/me', token)));
const offered = capacity * Number(values.times);
let number = 0;
const [me, logins] = await Promise.all([
  openLoop(Number(values.me), seconds, () => send(rawRequest('/me', token))),
  openLoop(offered, seconds, () =>
    send(
      rawPost('/login', {
        email: number++ % 2 ? 'ada@example.com' : `nobody${number}@example.com`,
        password,
      }),
    ),
  ),
]);
const admitted = logins.filter(({ status }) => status === 200 || status === 401);
const shed = logins.filter(({ status }) => status === 503);
const other = logins.length - admitted.length - shed.length;

const from = (address: string, email: string) => (): Promise<Answer> =>
  send(rawPost('/login', { email, password }, address));
const [flood, others] = await Promise.all([
  openLoop(offered, seconds, from('192.0.2.1', 'ada@example.com')),
  openLoop(1, seconds, from('192.0.2.2', 'grace@example.com')),
]);
const right = (outcomes: readonly Outcome[]): Outcome[] => outcomes.filter(({ status }) => status === 200);

const row = (name: string, outcomes: readonly Outcome[]): string[] => {
  const times = outcomes.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (q: number): string =>
    (times[Math.min(times.length - 1, Math.floor(times.length * q))] ?? 0).toFixed(1);
  return [name, String(outcomes.length), at(0.5), at(0.99), at(1)];
};
const rows = [
  row('GET /me, nothing beside', alone),
  row('GET /me, beside the logins', me),
  row('logins that were admitted', admitted),
  row('logins that were shed', shed),
];
const turns = [
  row('logins of one source, served', right(flood)),
  row('one a second from another, served', right(others)),
];
printTable(['', 'answers', 'p50 ms', 'p99 ms', 'max ms'], [...rows, ...turns]);
const goodput = admitted.length / (seconds + Math.max(0, ...admitted.map(({ ms }) => ms)) / 1000);
const failed = me.filter(({ status }) => status !== 200).length;
process.stdout.write(
  `capacity ${capacity.toFixed(1)} logins/s, offered ${offered.toFixed(1)}, useful ${goodput.toFixed(1)} ` +
    `(${((goodput / capacity) * 100).toFixed(0)} %); /me not 200: ${failed}; logins with another answer: ${other}; ` +
    `of another source than the flood's: ${right(others).length} of ${others.length} served\n`,
);
storeJson('overload', {
  cost: Number(values.cost),
  seconds,
  capacity,
  offered,
  goodput,
  failed,
  other,
  rows,
});
storeJson('overload-turns', {
  cost: Number(values.cost),
  seconds,
  capacity,
  offered,
  others: { offered: others.length, served: right(others).length },
  rows: turns,
});

/** Logins a second by so many clients who each log in again as soon as they are in. */
async function closedLoop(clients: number, milliseconds: number): Promise<number> {
  const start = performance.now();
  let done = 0;
  let last = start;
  const client = async (): Promise<void> => {
    while (performance.now() < start + milliseconds) {
      await login('ada@example.com');
      done++;
      last = performance.now();
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return (done * 1000) / (last - start);
}

/** Sends at a rate, each when it is due; times count from when it was due. */
async function openLoop(perSecond: number, duration: number, act: () => Promise<Answer>): Promise<Outcome[]> {
  const start = performance.now();
  const total = Math.floor(perSecond * duration);
  const pending: Promise<Outcome>[] = [];
  while (pending.length < total) {
    const due = start + (pending.length * 1000) / perSecond;
    if (performance.now() < due) await new Promise(resolve => setTimeout(resolve, 1));
    else pending.push(act().then(({ status }) => ({ status, ms: performance.now() - due })));
  }
  return await Promise.all(pending);
}

async function login(email: string): Promise<{ token: string }> {
  const { status, body } = await send(rawPost('/login', { email, password }));
  if (status !== 200) throw new Error(`login: ${status} ${body}`);
  return { token: JSON.parse(body).access_token };
}

/** On a connection that nobody uses, or a new one. */
async function send(request: string): Promise<Answer> {
  const connection = idle.pop() ?? (await openConnection(service.port));
  const answer = await connection.exchange(request);
  idle.push(connection);
  return answer;
}
