import { type Database, openDatabase } from '../../src/database.ts';
import { startApp, type TestApp } from '../helpers/app.ts';
import { StandingTime } from '../helpers/nodes.ts';
import type { Scope } from '../helpers/scope.ts';
import { wrappedDatabase } from '../helpers/wrapped-database.ts';
import type { Experiment, Observed } from './experiment.ts';
import { folderOf } from './service.ts';

const hour = 3600;
const day = 24 * hour;
const year = 365 * day;

/** Seconds, one after the other, while the service runs. */
const steps = [-hour, hour, -day, day, -day, -hour, hour, day, year, -year];

export const clock: Experiment = {
  name: 'clock',
  shows:
    'the clock steps by an hour, a day, a year: it lets nobody in, keeps nobody out for good, ends no session early',
  run: scope => stepClock(scope, database => database),
  control: scope => stepClock(scope, endingWhatIsAhead),
};

async function stepClock(scope: Scope, variant: Variant): Promise<Observed> {
  const time = new StandingTime();
  const database = await openDatabase(`sqlite:${folderOf(scope)}/plinth.db`);
  scope.after(() => database.close());
  const now = time.clock();
  const node = () =>
    startApp(scope, { database: variant(database, now), clock: now, monotonic: monotonic() });
  // Two nodes on the database; what the second one has not seen it cannot have in memory.
  const [app, other] = [await node(), await node()];
  const { email, password } = await app.register('ada@example.com');
  const findings: string[] = [];
  let checks = 0;
  const expect = (what: string, status: number, expected: number): void => {
    checks++;
    if (status !== expected) findings.push(`${what}: ${status}, not ${expected}`);
  };
  const login = async (on: TestApp) => (await on.post('/login', { email, password })).body;
  const refresh = async (on: TestApp, refresh_token: string) => await on.post('/refresh', { refresh_token });
  const me = async (on: TestApp, token: string) => (await on.get('/me', { token })).status;

  for (const step of steps) {
    const where = `after a step of ${step / hour} hours`;
    const before = await login(app);
    const rotated = (await refresh(app, before.refresh_token)).body;
    const ended = await login(app);
    expect('a logout', (await app.post('/logout', undefined, { token: ended.access_token })).status, 204);
    expect('before the step', await me(app, rotated.access_token), 200);
    time.turn(step);

    const isOver = step >= 30 * day;
    for (const on of [app, other]) {
      const inTime = Math.abs(step) < 10;
      expect(`an access token ${where}`, await me(on, rotated.access_token), inTime ? 200 : 401);
      expect(`an ended session ${where}`, (await refresh(on, ended.refresh_token)).status, 401);
    }
    const next = await refresh(other, rotated.refresh_token);
    expect(`a refresh ${where}`, next.status, isOver ? 401 : 200);
    if (!isOver) {
      const again = await refresh(app, rotated.refresh_token);
      expect(`the same once more ${where}`, again.status, 200);
      expect(`a new access token ${where}`, await me(app, next.body.access_token), 200);
      expect(`a spent refresh token ${where}`, (await refresh(app, before.refresh_token)).status, 401);
      expect(`what it ended ${where}`, await me(other, next.body.access_token), 401);
    }
    const { access_token } = await login(other);
    for (const on of [app, other]) expect(`a login ${where}`, await me(on, access_token), 200);
  }
  for (const ahead of [10, 61]) {
    const { access_token } = await login(app);
    time.turn(-ahead);
    for (const on of [app, other])
      expect(`a token from a clock ${ahead} s ahead`, await me(on, access_token), ahead === 10 ? 200 : 401);
    time.turn(ahead);
  }
  return { findings, figures: { steps: steps.length, checks } };
}

/** The time that passes is not that of the wall clock. */
function monotonic(): () => number {
  const begun = performance.now();
  return () => performance.now() - begun;
}

type Variant = (database: Database, now: () => Date) => Database;

/** Broken on purpose: a session from a later time than now is taken for wrong, and removed. */
const endingWhatIsAhead: Variant = (database, now) =>
  wrappedDatabase(database, (run, work) =>
    run(async tx => {
      await tx.deleteFrom('sessions').where('created_at', '>', now()).execute();
      return await work(tx);
    }),
  );
