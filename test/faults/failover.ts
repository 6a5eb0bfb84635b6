import { setTimeout as pause } from 'node:timers/promises';
import { randomFrom } from '../database/support.ts';
import type { Scope } from '../helpers/scope.ts';
import { Cluster, type Replication } from './cluster.ts';
import { acknowledgedBy, crowd } from './crowd.ts';
import { Diary } from './diary.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { isPrefix } from './pages.ts';
import { AnswerLost, type Person, Refused } from './person.ts';
import { folderOf, Node } from './service.ts';
import { Takeovers } from './takeovers.ts';

export const failover: Experiment = {
  name: 'failover',
  shows:
    'a PostgreSQL primary crashes and its standby takes over: nothing is lost, or where replication is not synchronous, the last writes alone',
  unable: ({ database }) => (database === undefined ? undefined : 'it has servers of its own'),
  run: async (scope, plan) => {
    const trial = await start(scope, plan);
    const rounds = plan.rounds ?? (plan.scale === 'full' ? 10 : 1);
    for (let round = 0; round < rounds; round++) await loseNothing(trial, 'synchronous');
    for (let round = 0; round < (plan.scale === 'full' ? 3 : 1); round++) await loseTheLast(trial);
    return await end(trial);
  },
  control: async (scope, plan) => {
    const trial = await start(scope, { ...plan, scale: 'short' });
    await loseNothing(trial, 'deaf');
    const missed = trial.people.flatMap(({ findings }) => findings).length;
    // As if of what people did last only a part were there.
    await loseTheLast(trial, 'delete from sessions');
    const { findings, figures } = await end(trial);
    return { findings: missed > 0 && findings.length > missed ? findings : [], figures };
  },
};

/** One service, which is not restarted, and what is done to its database. */
interface Trial {
  readonly plan: Plan;
  readonly node: Node;
  readonly takeovers: Takeovers;
  readonly people: readonly Person[];
  readonly random: () => number;
  readonly findings: string[];
  readonly figures: { refused: number; kept: number; lost: number; oldest: number };
}

async function start(scope: Scope, plan: Plan): Promise<Trial> {
  const cluster = await Cluster.start(scope);
  const node = new Node(scope, folderOf(scope), cluster.address.url);
  await node.start();
  const findings: string[] = [];
  return {
    ...{ plan, node, findings, random: randomFrom(plan.seed) },
    people: crowd(plan, plan.scale === 'full' ? 24 : 8),
    takeovers: new Takeovers(cluster, node.client.url, findings),
    figures: { refused: 0, kept: 0, lost: 0, oldest: 0 },
  };
}

/** People write all the time: while the address leads to the standby, while that is gone, at the crash, and afterwards. */
async function loseNothing(trial: Trial, replication: Replication): Promise<void> {
  const { people, random, takeovers, plan, figures } = trial;
  const { client } = takeovers;
  await takeovers.cluster.follow(replication);

  const isAnswered = async (work: Promise<void>): Promise<boolean> => {
    try {
      await work;
      return true;
    } catch (error) {
      if (!(error instanceof AnswerLost)) throw error;
      if (!(error instanceof Refused)) trial.findings.push(`${error.message} had no answer`);
      figures.refused++;
      // Nobody asks at once again.
      await pause(50);
      return false;
    }
  };
  const settle = async (person: Person) => {
    while (!(await isAnswered(person.check(client))));
  };
  let running = true;
  const busy = people.map(async person => {
    // Who has found something would find it again and again.
    while (running && person.findings.length === 0)
      if (!(await isAnswered(person.act(client)))) await settle(person);
  });
  const acknowledged = () => acknowledgedBy(people);

  await pause(200 + random() * (plan.scale === 'full' ? 1500 : 100));
  await takeovers.meetStandby(acknowledged);
  if (replication === 'synchronous') await takeovers.missStandby(acknowledged);
  await pause(200 + random() * (plan.scale === 'full' ? 1500 : 100));
  await takeovers.crash(random() < 0.5);
  await takeovers.takeOver(acknowledged);
  await pause(100);
  running = false;
  await Promise.all(busy);
  await Promise.all(people.map(settle));
}

/** `tear`: what else is done to the database before it is looked at. */
async function loseTheLast({ plan, random, takeovers, findings, figures }: Trial, tear?: string) {
  const { cluster, client } = takeovers;
  await cluster.follow('late');
  const diaries = Array.from({ length: plan.scale === 'full' ? 24 : 8 }, (_, n) => {
    const seed = plan.seed * 1_000_000 + takeovers.made * 1000 + n;
    return new Diary(
      `diary${n}.${takeovers.made}@example.com`,
      `10.1.${takeovers.made}.${n}`,
      randomFrom(seed),
    );
  });
  const written = diaries.map(diary => diary.write(client));
  await pause(500 + random() * (plan.scale === 'full' ? 1500 : 100));
  const crashed = performance.now();
  await takeovers.crash(random() < 0.5);
  await Promise.all(written);
  await takeovers.takeOver();
  if (tear !== undefined) await cluster.ask(tear);
  const kept = await Promise.all(diaries.map(diary => diary.compare(client)));
  findings.push(...kept.flatMap(({ finding }) => finding ?? []));
  if (!isPrefix(kept)) findings.push('a write is there that was made after one that is gone');
  for (const [n, { lost, firstLost }] of kept.entries()) {
    figures.kept += (diaries[n]?.length ?? 0) - lost;
    figures.lost += lost;
    figures.oldest = Math.max(figures.oldest, crashed - firstLost);
  }
}

async function end({ plan, node, takeovers, people, findings, figures }: Trial): Promise<Observed> {
  const code = await node.stop();
  if (code !== 0) findings.push(`the service ended with ${code}`);
  if (figures.refused === 0) findings.push('nobody was refused: the database was not away');
  findings.push(...takeovers.tooSlow(plan), ...people.flatMap(person => person.findings));
  return {
    findings,
    figures: {
      ...takeovers.figures,
      'acknowledged writes, synchronous': acknowledgedBy(people),
      'times that somebody was refused': figures.refused,
      'acknowledged writes kept, asynchronous': figures.kept,
      'acknowledged writes lost, asynchronous': figures.lost,
      'oldest of them, ms before the crash': Math.round(figures.oldest),
    },
  };
}
