import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomFrom } from '../database/support.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { AnswerLost, Person } from './person.ts';
import { leftBehind } from './postgres-leaks.ts';
import { folderOf, Node } from './service.ts';

/** Milliseconds in which a service has to be ready again after a crash. */
const readyWithin = 2000;

export const kill: Experiment = {
  name: 'kill',
  unable: ({ database }) =>
    database === undefined ? undefined : 'it is about SQLite, and "nodes" about PostgreSQL',
  shows: 'kill -9 at any moment under load: what was acknowledged is there, what was ended stays ended',
  run: (scope, plan) => killAgain(scope, plan, {}),
  control: (scope, plan) =>
    killAgain(
      scope,
      { ...plan, rounds: 1, scale: 'short' },
      { entry: fileURLToPath(new URL('./hasty-service.ts', import.meta.url)) },
    ),
};

/** On SQLite one service, on PostgreSQL one of three; `start`: a variant. */
export async function killAgain(scope: Scope, plan: Plan, start: Start): Promise<Observed> {
  const isFull = plan.scale === 'full';
  const rounds = plan.rounds ?? (isFull ? 30 : 2);
  const random = randomFrom(plan.seed);
  const folder = folderOf(scope);
  const nodes = Array.from(
    { length: plan.database === undefined ? 1 : 3 },
    () => new Node(scope, folder, plan.database, start),
  );
  const any = () =>
    nodes[Math.floor(random() * nodes.length)] ?? nodes[0] ?? new Node(scope, folder, undefined);
  const people = Array.from(
    { length: isFull ? 64 : 8 },
    (_, n) =>
      new Person(
        `person${n}.${plan.seed}.${process.pid}@example.com`,
        `10.0.0.${n}`,
        randomFrom(plan.seed * 1000 + n),
      ),
  );
  const findings: string[] = [];
  for (const node of nodes) await node.start();

  let lost = 0;
  for (let round = 0; round < rounds; round++) {
    let running = true;
    const busy = people.map(async person => {
      while (running) {
        try {
          await person.act(any().client);
        } catch (error) {
          if (!(error instanceof AnswerLost)) throw error;
          lost++;
          // What is unknown is settled before anything else is asked for.
          return;
        }
      }
    });
    await pause(50 + random() * (isFull ? 1950 : 400));
    const victim = any();
    await victim.kill();
    running = false;
    await Promise.all(busy);
    if (plan.database === undefined) findings.push(...unsound(folder));
    await victim.start();
    await Promise.all(people.map(person => person.check(any().client)));
  }
  if (plan.database === undefined) for (const node of nodes) await node.stop();
  else findings.push(...(await leftBehind(nodes, plan.database)));

  const starts = nodes.flatMap(node => node.starts).sort((a, b) => a - b);
  findings.push(...people.flatMap(person => person.findings));
  const median = starts[starts.length >> 1] ?? 0;
  // Not the slowest: a machine that does something else at that moment is no fault of the service.
  if (isFull && median > readyWithin) findings.push(`starts take ${Math.round(median)} ms`);
  return {
    findings,
    figures: {
      kills: rounds,
      'acknowledged writes': people.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
      'answers lost': lost,
      'ready, median ms': Math.round(median),
      'ready, slowest ms': Math.round(starts.at(-1) ?? 0),
      [`starts over ${readyWithin} ms`]: starts.filter(time => time > readyWithin).length,
    },
  };
}

/** Looks at a copy, so that the service itself recovers what was left. */
function unsound(folder: string): string[] {
  const copy = join(folder, 'copy');
  mkdirSync(copy);
  for (const end of ['', '-wal']) {
    const file = join(folder, `data/plinth.db${end}`);
    if (existsSync(file)) copyFileSync(file, join(copy, `plinth.db${end}`));
  }
  try {
    using database = new DatabaseSync(join(copy, 'plinth.db'));
    const checks = ['integrity_check', 'foreign_key_check'].flatMap(check =>
      database.prepare(`pragma ${check}`).all(),
    );
    return checks.map(row => JSON.stringify(row)).filter(row => row !== '{"integrity_check":"ok"}');
  } catch (error) {
    return [`the database cannot be read after the kill: ${error}`];
  } finally {
    rmSync(copy, { recursive: true });
  }
}
