import { fileURLToPath } from 'node:url';
import { randomFrom } from '../database/support.ts';
import { Client } from '../helpers/client.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import { actAndAskAgain } from './asking-again.ts';
import { startCuttingRelay } from './cutting-relay.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { Person } from './person.ts';
import { folderOf, Node } from './service.ts';

export const lostAnswers: Experiment = {
  name: 'lost-answers',
  shows:
    'connections cut after the commit: clients ask again, everything is done once, and nobody is logged out',
  run: (scope, plan) => loseAnswers(scope, plan, {}, usualShare),
  control: (scope, plan) =>
    loseAnswers(
      scope,
      { ...plan, scale: 'short' },
      { entry: fileURLToPath(new URL('./forgetful-service.ts', import.meta.url)) },
      shareOfControl,
    ),
};

/** Of the answers. */
const usualShare = 0.05;
/** So many that those to a refresh are certainly among them, which alone are missed: with fewer it may be none. */
const shareOfControl = 0.1;

async function loseAnswers(scope: Scope, plan: Plan, start: Start, share: number): Promise<Observed> {
  const isFull = plan.scale === 'full';
  const writes = plan.rounds ?? (isFull ? 500 : 20);
  const node = new Node(scope, folderOf(scope), plan.database, start);
  await node.start();
  const relay = await startCuttingRelay(scope, node.client.url, share, randomFrom(plan.seed));
  const client = new Client(relay.url);
  const people = Array.from(
    { length: isFull ? 64 : 12 },
    (_, n) =>
      new Person(
        `lost${n}.${plan.seed}.${process.pid}@example.com`,
        `10.0.0.${n}`,
        randomFrom(plan.seed * 1000 + n),
      ),
  );
  await Promise.all(
    people.map(async person => {
      for (let n = 0; n < writes; n++) await actAndAskAgain(person, client);
    }),
  );
  await node.stop();
  return {
    findings: people.flatMap(person => person.findings),
    figures: {
      'acknowledged writes': people.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
      'answers lost': relay.cuts(),
    },
  };
}
