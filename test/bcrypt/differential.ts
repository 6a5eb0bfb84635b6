/**
 * Compares the engine with @node-rs/bcrypt over random passwords, salts and costs, mixed in one engine. Jobs join and
 * leave at random, some because they are aborted.
 *
 *   node test/bcrypt/differential.ts --count 1000000 --seed 1
 */
import { parseArgs } from 'node:util';
import { type BcryptEngine, createLaneEngine } from '../../src/bcrypt/index.ts';
import { type Case, oracle, type Random, randomCase, seededRandom } from './cases.ts';
import { encode } from './modular.ts';

export interface Comparison {
  compared: number;
  aborted: number;
  readonly mismatches: string[];
}

interface Options {
  readonly count: number;
  readonly seed: number;
  readonly onProgress?: (begun: number) => void;
  readonly onMismatch?: (mismatch: string) => void;
}

export async function compare(
  engine: Pick<BcryptEngine, 'digest'>,
  { count, seed, onProgress, onMismatch }: Options,
): Promise<Comparison> {
  const random = seededRandom(seed);
  const result: Comparison = { compared: 0, aborted: 0, mismatches: [] };
  let begun = 0;
  const worker = async () => {
    while (begun < count) {
      begun++;
      if (begun % 10_000 === 0) onProgress?.(begun);
      const work = randomCase(random);
      if (random(16) === 0) await abortSoon(engine, work, random, result);
      const [digest, expected] = await Promise.all([engine.digest(work), oracle(work)]);
      result.compared++;
      if (encode(digest) === expected) continue;
      const mismatch = describe(work, encode(digest), expected);
      result.mismatches.push(mismatch);
      onMismatch?.(mismatch);
    }
  };
  await Promise.all(Array.from({ length: 12 }, worker));
  return result;
}

async function abortSoon(
  engine: Pick<BcryptEngine, 'digest'>,
  work: Case,
  random: Random,
  result: Comparison,
): Promise<void> {
  const controller = new AbortController();
  const digest = engine.digest({ ...work, signal: controller.signal }).catch(() => undefined);
  for (let turns = random(20); turns > 0; turns--) await new Promise(resolve => setImmediate(resolve));
  controller.abort();
  if ((await digest) === undefined) result.aborted++;
}

const describe = ({ password, salt, cost }: Case, digest: string, expected: string) =>
  `password ${Buffer.from(password).toString('hex')} salt ${Buffer.from(salt).toString('hex')} cost ${cost}: ` +
  `${digest} instead of ${expected}`;

if (import.meta.main) {
  const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } });
  const count = Number(values.count ?? 1_000_000);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  const say = (text: string) => process.stdout.write(`${text}\n`);
  say(`${count} comparisons with seed ${seed}`);
  const engine = await createLaneEngine({ log: say });
  const result = await compare(engine, {
    count,
    seed,
    onProgress: begun => say(`${begun}`),
    onMismatch: say,
  });
  await engine.close();
  say(`${result.compared} compared, ${result.aborted} aborted, ${result.mismatches.length} mismatches`);
  if (result.mismatches.length > 0) process.exitCode = 1;
}
