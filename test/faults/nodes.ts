import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomFrom } from '../database/support.ts';
import { startPostgres } from '../helpers/postgres/start.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import { acknowledgedBy, crowd, startsOf } from './crowd.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { Fleet, type Unanswered } from './fleet.ts';
import { NodeUsers } from './node-users.ts';
import type { Person } from './person.ts';

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
  await using users = await NodeUsers.on(plan.database);
  const fleet = await Fleet.start(scope, users, start, random);
  const people = crowd(plan, isFull ? 12 : 8);
  const tell = (moment: string) => {
    for (const person of people) person.moment = moment;
  };

  let slowest = 0;
  const settle = async (person: Person, unanswered: Unanswered) => {
    const begun = performance.now();
    for (let left: Unanswered | undefined = unanswered; left; ) {
      const again = await fleet.ask(client => person.refreshAgain(client));
      await Promise.all([left.decided, again?.decided]);
      left = await fleet.ask(client => person.check(client));
    }
    slowest = Math.max(slowest, performance.now() - begun);
  };
  let running = true;
  const busy = people.map(async person => {
    while (running) {
      const unanswered = await fleet.ask(client => person.act(client));
      if (unanswered) await settle(person, unanswered);
    }
  });

  const restarts = new Set<Promise<void>>();
  for (let kills = 1; kills <= rounds; kills++) {
    await pause(50 + random() * 350);
    while (fleet.size < 2) await Promise.race(restarts);
    const victim = await fleet.any();
    tell(`kill ${kills}`);
    await fleet.kill(victim);
    const back = fleet.restart(victim).then(() => void restarts.delete(back));
    restarts.add(back);
  }
  await Promise.all(restarts);
  await pause(100);
  running = false;
  tell('the kill of all');
  await Promise.all(fleet.all.map(member => fleet.kill(member)));
  for (const member of fleet.all) await fleet.restart(member);
  await Promise.all(busy);
  tell('the end');
  await Promise.all(people.map(person => settle(person, { decided: Promise.resolve() })));

  const nodes = fleet.all.map(({ node }) => node);
  for (const node of nodes) await node.kill();
  const findings = [...(await users.leftBehind()), ...people.flatMap(person => person.findings)];
  return {
    findings,
    figures: {
      'kills of one': rounds,
      'kills of all': 1,
      'acknowledged writes': acknowledgedBy(people),
      'answers lost': fleet.lost,
      'answers 503': fleet.refused,
      'refused as too late': people.reduce((sum, { late }) => sum + late, 0),
      'longest to find out, ms': Math.round(slowest),
      'noticed by PostgreSQL after, longest ms': Math.round(fleet.noticed),
      ...startsOf(nodes).figures,
    },
  };
}
