import { type Database, DatabaseUnavailable, openDatabase } from '../../src/database.ts';
import { randomFrom } from '../database/support.ts';
import { startApp } from '../helpers/app.ts';
import { buildable } from '../helpers/faulty-database.ts';
import type { Scope } from '../helpers/scope.ts';
import { wrappedDatabase } from '../helpers/wrapped-database.ts';
import { actAndAskAgain } from './asking-again.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { Person } from './person.ts';
import { folderOf } from './service.ts';

export const unreliable: Experiment = {
  name: 'unreliable',
  shows:
    'a database that fails at random, also after a commit: whatever many people do at once, each has one true state',
  run: (scope, plan) => failAtRandom(scope, plan, failing, usualShare),
  control: (scope, plan) => failAtRandom(scope, { ...plan, scale: 'short' }, lying, shareOfControl),
};

type Variant = (database: Database, fails: () => boolean) => Database;

/** Of all reads, beginnings, commits and moments after a commit. */
const usualShare = 0.02;
/** Of all commits: so many that some are certainly missed, which not every one is. */
const shareOfControl = 0.2;

async function failAtRandom(scope: Scope, plan: Plan, variant: Variant, share: number): Promise<Observed> {
  const isFull = plan.scale === 'full';
  const writes = plan.rounds ?? (isFull ? 1000 : 40);
  const random = randomFrom(plan.seed);
  const sound = await openDatabase(plan.database ?? `sqlite:${folderOf(scope)}/plinth.db`, {
    sync: async () => {},
  });
  scope.after(() => sound.close());
  let isOn = false;
  let failures = 0;
  const fails = () => {
    const now = isOn && random() < share;
    if (now) failures++;
    return now;
  };
  const settings = { LOG_LEVEL: 'fatal', MAX_SESSIONS: '1000', TRUSTED_PROXIES: '127.0.0.1' };
  const app = await startApp(scope, { database: variant(sound, fails), settings });
  isOn = true;
  const people = Array.from(
    { length: isFull ? 32 : 8 },
    (_, n) =>
      new Person(
        `some${n}.${plan.seed}.${process.pid}@example.com`,
        `10.0.0.${n}`,
        randomFrom(plan.seed * 1000 + n),
      ),
  );
  await Promise.all(
    people.map(async person => {
      for (let n = 0; n < writes; n++) await actAndAskAgain(person, app);
    }),
  );
  return {
    findings: people.flatMap(person => person.findings),
    figures: {
      'acknowledged writes': people.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
      failures,
    },
  };
}

const away = () => new DatabaseUnavailable('planted');

const failing: Variant = (database, fails) => ({
  ...wrappedDatabase(database, async (run, work) => {
    if (fails()) throw away();
    const result = await run(async tx => {
      const done = await work(tx);
      if (fails()) throw away();
      return done;
    });
    if (fails()) throw away();
    return result;
  }),
  db: buildable(database.db).withPlugin({
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      if (fails()) throw away();
      return result;
    },
  }),
});

/** Broken on purpose: what fails at the commit is acknowledged all the same. */
const lying: Variant = (database, fails) =>
  wrappedDatabase(database, async (run, work) => {
    const done: Awaited<ReturnType<typeof work>>[] = [];
    try {
      return await run(async tx => {
        const result = await work(tx);
        done.push(result);
        if (fails()) throw away();
        return result;
      });
    } catch (error) {
      const [result] = done;
      if (result !== undefined && error instanceof DatabaseUnavailable) return result;
      throw error;
    }
  });
