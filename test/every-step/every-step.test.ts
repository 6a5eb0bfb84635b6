/**
 * For every route, each thing that it asks of the database or the hashing engine fails once, in several ways: the answer
 * is an error or right, and the state is the one before or the one after.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteOtherSessions } from '../../src/auth/session-models.ts';
import { EngineClosed, EngineFailed, Overloaded } from '../../src/bcrypt/engine.ts';
import { UniqueViolation } from '../../src/database/errors.ts';
import { DatabaseUnavailable } from '../../src/database.ts';
import { renameUser } from '../../src/users/models.ts';
import { onPostgres } from '../helpers/database.ts';
import { routesOf } from '../helpers/routes.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { attempt, type FragileService, type Outcome, startFragileService } from './service.ts';

/** What is thrown, and what the outside is told then. */
interface Failure {
  readonly name: string;
  readonly make: () => unknown;
  readonly status: number;
}

const databaseFailures: readonly Failure[] = [
  { name: 'is away', make: () => new DatabaseUnavailable('planted'), status: 503 },
  { name: 'finds a row where none can be', make: () => new UniqueViolation('nothing.here'), status: 500 },
  { name: 'throws what is no error', make: () => 'planted', status: 500 },
  { name: 'throws nothing', make: () => undefined, status: 500 },
];
const engineFailures: readonly Failure[] = [
  { name: 'is full', make: () => new Overloaded(3), status: 503 },
  { name: 'is closed', make: () => new EngineClosed('planted'), status: 503 },
  { name: 'has no threads left', make: () => new EngineFailed('planted'), status: 503 },
  { name: 'is broken', make: () => new Error('planted'), status: 500 },
];

test('every route has a scenario', async t => {
  const { app } = await startFragileService(t);
  const routes = (await routesOf(app)).filter(route => !route.startsWith('HEAD'));
  assert.deepEqual(Object.keys(scenarios).sort(), routes.sort());
});

test('every step of the database of every route fails, in one way and another', async t => {
  const service = await startFragileService(t);
  const seen = new Set<string>();
  let turn = 0;
  for (const [route, list] of Object.entries(scenarios)) {
    for (const scenario of list) {
      // What it throws has little to do with what it leaves behind: on PostgreSQL, where each step takes longer, all take
      // turns, and elsewhere the others beside the first.
      const [away, ...others] = databaseFailures;
      const all = onPostgres
        ? [databaseFailures[turn % databaseFailures.length]]
        : [away, others[turn % others.length]];
      turn++;
      for (const failure of all) {
        if (!failure) continue;
        for (const { steps } of await failEach(service, route, scenario, failure)) {
          seen.add(`${failure.name}: ${steps.at(-1)}`);
        }
      }
    }
  }
  for (const { name } of databaseFailures)
    for (const kind of ['read', 'begin', 'statement', 'commit', 'after the commit'])
      assert.ok(seen.has(`${name}: ${kind}`), `${name}: ${kind}`);
});

test('every digest of every route fails once, in every way', async t => {
  const service = await startFragileService(t);
  let failures = 0;
  for (const [route, list] of Object.entries(scenarios)) {
    for (const scenario of list) {
      const whole = await attempt(service, route, scenario, () => service.engine.failAt(0, Error));
      for (const { name, make, status } of engineFailures) {
        for (let digest = 1; digest <= whole.digests; digest++) {
          const outcome = await attempt(service, route, scenario, () => service.engine.failAt(digest, make));
          assert.deepEqual(
            faults(outcome, whole, status),
            [],
            `${route}, ${scenario.title}: ${digest} ${name}`,
          );
          failures++;
        }
      }
    }
  }
  assert.ok(failures > 30, `${failures}`);
});

test('control: a change that takes two transactions is caught', async t => {
  const service = await startFragileService(t, (app, database) => {
    app.post('/planted', { config: { access: 'session' } }, async ({ user, session }) => {
      await database.transaction(tx => renameUser(tx, user.id, 'Eve', new Date()));
      await database.transaction(tx => deleteOtherSessions(tx, user.id, session.id));
      return {};
    });
  });
  const planted: Scenario = {
    title: 'two transactions',
    status: 200,
    ask: async ({ here }) => ({ token: here.access_token }),
  };
  const [away] = databaseFailures;
  assert.ok(away);
  const failing = failEach(service, 'POST /planted', planted, away);
  await assert.rejects(failing, /between/);
});

/** The outcomes of a scenario with each step failing in turn, until there is no further step to fail. */
async function failEach(
  service: FragileService,
  route: string,
  scenario: Scenario,
  { make, status }: Failure,
): Promise<Outcome[]> {
  const whole = await attempt(service, route, scenario, () => service.database.failAt(0, make));
  assert.equal(whole.status, scenario.status, `${route}, ${scenario.title}`);
  const outcomes: Outcome[] = [];
  for (let step = 1; ; step++) {
    const outcome = await attempt(service, route, scenario, () => service.database.failAt(step, make));
    const where = `${route}, ${scenario.title}, step ${step}: ${outcome.steps[step - 1]}`;
    if (outcome.steps.length < step) {
      assert.deepEqual([outcome.status, outcome.changes], [whole.status, whole.changes], where);
      return outcomes;
    }
    assert.deepEqual(faults(outcome, whole, status), [], where);
    outcomes.push({ ...outcome, steps: outcome.steps.slice(0, step) });
  }
}

/** `whole`: what it would have been without a failure. */
function faults({ status, changes }: Outcome, whole: Outcome, error: number): string[] {
  const same = changes.join() === whole.changes.join();
  // The health of the service says by itself that the database does not answer.
  const isError = status === error || status === 503;
  if (status === whole.status && same) return [];
  if (isError && (same || changes.length === 0)) return [];
  return isError ? [`between: ${changes}, not ${whole.changes}`] : [`answered with ${status} and ${changes}`];
}
