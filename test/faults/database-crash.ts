import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomFrom } from '../database/support.ts';
import { startPostgres } from '../helpers/postgres/start.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { AnswerLost, Person, Refused } from './person.ts';
import { folderOf, Node } from './service.ts';

/** Milliseconds for any answer while the database is away, and for the first write when it is back. */
const answeredWithin = 2500;
const recoveredWithin = 2000;

export const databaseCrash: Experiment = {
  name: 'database-crash',
  shows:
    'PostgreSQL crashes under load and comes back: 503 in time meanwhile, no restart of the service, nothing is lost',
  unable: ({ database }) => (database === undefined ? undefined : 'it crashes a server of its own'),
  run: (scope, plan) => crashAgain(scope, plan, {}),
  control: (scope, plan) =>
    crashAgain(
      scope,
      { ...plan, rounds: 1, scale: 'short' },
      { entry: fileURLToPath(new URL('./hasty-service.ts', import.meta.url)) },
    ),
};

async function crashAgain(scope: Scope, plan: Plan, start: Start): Promise<Observed> {
  const isFull = plan.scale === 'full';
  const rounds = plan.rounds ?? (isFull ? 10 : 1);
  const server = await startPostgres();
  scope.after(() => server.end());
  const node = new Node(scope, folderOf(scope), server.url, start);
  await node.start();
  const { client } = node;
  const random = randomFrom(plan.seed);
  const people = Array.from(
    { length: isFull ? 32 : 8 },
    (_, n) => new Person(`crash${n}@example.com`, `10.0.0.${n}`, randomFrom(plan.seed * 1000 + n)),
  );
  const findings: string[] = [];
  const figures = { refused: 0, lost: 0, slowest: 0, back: 0 };

  for (let round = 0; round < rounds; round++) {
    let running = true;
    const busy = people.map(async person => {
      while (running) {
        const asked = performance.now();
        try {
          await person.act(client);
        } catch (error) {
          if (!(error instanceof AnswerLost)) throw error;
          if (error instanceof Refused) figures.refused++;
          else figures.lost++;
          figures.slowest = Math.max(figures.slowest, performance.now() - asked);
          // Nobody asks at once again.
          await pause(50);
        }
      }
    });
    await pause(200 + random() * (isFull ? 1500 : 200));
    await server.crash();
    await pause(300);
    const [live, ready] = [await client.get('/health/live'), await client.get('/health/ready')];
    if (live.status !== 200) findings.push(`live was answered with ${live.status}`);
    if (ready.status !== 503) findings.push(`ready was answered with ${ready.status} without a database`);
    running = false;
    await Promise.all(busy);
    await server.start();
    const back = performance.now();
    while (
      (await client.get('/health/ready')).status !== 200 &&
      performance.now() - back < 2 * recoveredWithin
    )
      await pause(20);
    figures.back = Math.max(figures.back, performance.now() - back);
    for (const person of people) await person.check(client);
  }
  if (figures.refused === 0) findings.push('nobody was refused: the database was not away');
  if (figures.lost > 0) findings.push(`${figures.lost} requests had no answer`);
  if (figures.back > recoveredWithin) findings.push('the service did not come back with the database');
  if (isFull && figures.slowest > answeredWithin) findings.push(`an answer took ${figures.slowest} ms`);
  await node.stop();
  findings.push(...people.flatMap(person => person.findings));
  return {
    findings,
    figures: {
      crashes: rounds,
      'acknowledged writes': people.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
      'writes refused': figures.refused,
      'refused after, slowest ms': Math.round(figures.slowest),
      'ready again after, slowest ms': Math.round(figures.back),
    },
  };
}
