import assert from 'node:assert/strict';
import test from 'node:test';
import type { BcryptEngine } from '../../src/bcrypt/engine.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { createPasswordHasher } from '../../src/users/security.ts';
import { startApp, type TestApp, unlimited } from '../helpers/app.ts';

const samples = 150;
/** Of two samples, one of each kind, how often the first is the longer: 0.5 tells nothing. 150 each give ±0.035. */
const indistinguishable = 0.12;
/**
 * Chance alone goes beyond that in one of three thousand comparisons, and never as far as this. Where it is between the two,
 * more samples are taken, up to four times as many, and all of them together decide.
 */
const obvious = 0.3;

test('a stranger cannot tell by time whether an address is known', async t => {
  const app = await startApp(t, { settings: { ...unlimited, BCRYPT_COST: '7' } });
  const { email } = await app.register();
  const auc = await compare(app, email, 'nobody@example.com');
  assert.ok(Math.abs(auc - 0.5) < indistinguishable, `AUC ${auc}`);
});

test('nor when the limit of either is used up', async t => {
  const app = await startApp(t, { settings: { DATABASE_URL: 'sqlite::memory:', LOGIN_LIMIT_ACCOUNT: '1' } });
  const { email } = await app.register();
  for (const one of [email, 'nobody@example.com'])
    await app.post('/login', { email: one, password: 'not the right one' });
  const auc = await compare(app, email, 'nobody@example.com', { status: 429 });
  assert.ok(Math.abs(auc - 0.5) < indistinguishable, `AUC ${auc}`);
});

test('nor by the work that it costs whether a known one has a cheaper hash from before', async t => {
  const inner = await createBcryptEngine({ threads: 1, log: assert.fail });
  t.after(() => inner.close());
  let rounds = 0;
  const engine: BcryptEngine = {
    description: 'counts rounds',
    digest: work => {
      rounds += 2 ** work.cost;
      return inner.digest(work);
    },
    close: async () => undefined,
  };
  for (const old of [4, 6, 7, 8]) {
    const passwords = createPasswordHasher({ engine, cost: 8, onUnusable: assert.fail });
    const outdated = await createPasswordHasher({ engine, cost: old, onUnusable: assert.fail }).hash(
      'what it was',
    );
    for (const stored of [outdated, undefined]) {
      rounds = 0;
      assert.equal(await passwords.verify('something else', stored), 'wrong');
      assert.equal(rounds, 2 ** 8, `cost ${old}`);
    }
  }
});

test('control: without the work for nobody, the same comparison tells', async t => {
  const inner = await createBcryptEngine({ threads: 1, log: assert.fail });
  t.after(() => inner.close());
  let real = true;
  const engine: BcryptEngine = {
    description: 'skips the work for nobody',
    digest: work => (real ? inner.digest(work) : Promise.resolve(new Uint8Array(23))),
    close: async () => undefined,
  };
  const app = await startApp(t, { engine, settings: { ...unlimited, BCRYPT_COST: '7' } });
  const { email } = await app.register();
  const auc = await compare(app, email, 'nobody@example.com', {
    before: kind => {
      real = kind === 'known';
    },
  });
  assert.ok(Math.abs(auc - 0.5) > 0.4, `AUC ${auc}`);
});

interface Comparison {
  readonly status?: number;
  readonly before?: (kind: 'known' | 'unknown') => void;
}

/** Interleaved, so that whatever else the machine does falls on both alike. */
async function compare(
  app: TestApp,
  known: string,
  unknown: string,
  { status: expected = 401, before = () => undefined }: Comparison = {},
): Promise<number> {
  const times: { known: number[]; unknown: number[] } = { known: [], unknown: [] };
  for (let i = 0; i < 4 * samples + 10; i++) {
    if (i > 10 && (i - 10) % samples === 0) {
      const auc = areaUnderCurve(times.known, times.unknown);
      const distance = Math.abs(auc - 0.5);
      if (distance < indistinguishable || distance > obvious) return auc;
    }
    for (const [kind, email] of [
      ['known', known],
      ['unknown', unknown],
    ] as const) {
      before(kind);
      const start = performance.now();
      const { status } = await app.post('/login', { email, password: 'not the right one' });
      // The first few warm the machine.
      if (i >= 10) times[kind].push(performance.now() - start);
      assert.equal(status, expected);
    }
  }
  return areaUnderCurve(times.known, times.unknown);
}

/** The Mann-Whitney statistic as a probability. */
function areaUnderCurve(a: readonly number[], b: readonly number[]): number {
  let wins = 0;
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0;
  return wins / (a.length * b.length);
}
