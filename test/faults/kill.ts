import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomFrom } from '../database/support.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import { acknowledgedBy, crowd, readyWithin, startsOf } from './crowd.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { AnswerLost } from './person.ts';
import { folderOf, Node } from './service.ts';

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

async function killAgain(scope: Scope, plan: Plan, start: Start): Promise<Observed> {
  const isFull = plan.scale === 'full';
  const rounds = plan.rounds ?? (isFull ? 30 : 2);
  const random = randomFrom(plan.seed);
  const folder = folderOf(scope);
  const node = new Node(scope, folder, undefined, start);
  const people = crowd(plan, isFull ? 64 : 8);
  const findings: string[] = [];
  await node.start();

  let lost = 0;
  for (let round = 0; round < rounds; round++) {
    let running = true;
    const busy = people.map(async person => {
      while (running) {
        try {
          await person.act(node.client);
        } catch (error) {
          if (!(error instanceof AnswerLost)) throw error;
          lost++;
          // What is unknown is settled before anything else is asked for.
          return;
        }
      }
    });
    await pause(50 + random() * (isFull ? 1950 : 400));
    await node.kill();
    running = false;
    await Promise.all(busy);
    findings.push(...unsound(folder));
    await node.start();
    await Promise.all(people.map(person => person.check(node.client)));
  }
  await node.stop();

  const { median, figures } = startsOf([node]);
  findings.push(...people.flatMap(person => person.findings));
  // Not the slowest: a machine that does something else at that moment is no fault of the service.
  if (isFull && median > readyWithin) findings.push(`starts take ${Math.round(median)} ms`);
  return {
    findings,
    figures: {
      kills: rounds,
      'acknowledged writes': acknowledgedBy(people),
      'answers lost': lost,
      ...figures,
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
