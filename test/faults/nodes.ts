import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomFrom } from '../database/support.ts';
import { startPostgres } from '../helpers/postgres/start.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import { acknowledgedBy, crowd, startsOf } from './crowd.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { AnswerLost, type Person } from './person.ts';
import { leftBehind } from './postgres-leaks.ts';
import { folderOf, Node } from './service.ts';

export const nodes: Experiment = {
  name: 'nodes',
  shows:
    'kill -9 of one or two of three nodes on PostgreSQL, and in the end of all: nothing is lost, left locked or left open',
  run: async (scope, plan) => await killNodes(scope, await onPostgres(scope, plan), {}),
  control: async (scope, plan) =>
    await killNodes(
      scope,
      { ...(await onPostgres(scope, plan)), rounds: 1, scale: 'short' },
      { entry: fileURLToPath(new URL('./hasty-service.ts', import.meta.url)) },
    ),
};

/** On the database that was named, or on a server of its own. */
export async function onPostgres(scope: Scope, plan: Plan): Promise<Plan & { readonly database: string }> {
  if (plan.database !== undefined) return { ...plan, database: plan.database };
  const server = await startPostgres();
  scope.after(() => server.end());
  return { ...plan, database: server.url };
}

/** People go on all the time, on the nodes that are there; who lost an answer finds out first what became of it. */
async function killNodes(
  scope: Scope,
  plan: Plan & { readonly database: string },
  start: Start,
): Promise<Observed> {
  const isFull = plan.scale === 'full';
  const rounds = plan.rounds ?? (isFull ? 100 : 2);
  const random = randomFrom(plan.seed);
  const folder = folderOf(scope);
  const all = [1, 2, 3].map(() => new Node(scope, folder, plan.database, start));
  for (const node of all) await node.start();
  const people = crowd(plan, isFull ? 12 : 8);

  const serving = new Set(all);
  const any = () => {
    const left = [...serving];
    const node = left[Math.floor(random() * left.length)];
    if (!node) throw new AnswerLost('no node is left');
    return node;
  };
  let lost = 0;
  let longest = 0;
  const settle = async (person: Person) => {
    const begun = performance.now();
    await pause(lateCommits);
    for (let attempt = 0; attempt < 500; attempt++) {
      try {
        await person.check(any().client);
        longest = Math.max(longest, performance.now() - begun);
        return;
      } catch (error) {
        if (!(error instanceof AnswerLost)) throw error;
        // Everybody asks again when all nodes are back.
        if (serving.size === 0) return;
        lost++;
        await pause(10);
      }
    }
    throw new Error(`${person.email} never found out`);
  };
  let running = true;
  const busy = people.map(async person => {
    while (running) {
      try {
        await person.act(any().client);
      } catch (error) {
        if (!(error instanceof AnswerLost)) throw error;
        lost++;
        if (!running) return;
        await settle(person);
      }
    }
  });

  const restarts = new Set<Promise<void>>();
  for (let kills = 0; kills < rounds; kills++) {
    await pause(50 + random() * 350);
    while (serving.size < 2) await Promise.race(restarts);
    const victim = any();
    serving.delete(victim);
    await victim.kill();
    const restart = victim.start().then(() => {
      serving.add(victim);
      restarts.delete(restart);
    });
    restarts.add(restart);
  }
  await Promise.all(restarts);
  await pause(100);
  running = false;
  serving.clear();
  await Promise.all(all.map(node => node.kill()));
  await Promise.all(busy);
  for (const node of all) await node.start();
  for (const node of all) serving.add(node);
  await Promise.all(people.map(settle));

  const findings = [...(await leftBehind(all, plan.database)), ...people.flatMap(person => person.findings)];
  return {
    findings,
    figures: {
      'kills of one': rounds,
      'kills of all': 1,
      'acknowledged writes': acknowledgedBy(people),
      'answers lost': lost,
      'longest to find out, ms': Math.round(longest),
      ...startsOf(all).figures,
    },
  };
}

/**
 * Milliseconds before people ask what became of a write: PostgreSQL ends what a node that died had asked for. Well below
 * the ten seconds in which a refresh can be asked for again.
 */
const lateCommits = 500;
