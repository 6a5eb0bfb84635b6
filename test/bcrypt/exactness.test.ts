import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { createLaneEngine, createNativeEngine } from '../../src/bcrypt/index.ts';
import { compare } from './differential.ts';
import { rehash } from './modular.ts';
import { vectors } from './vectors.ts';

suite('exactness', async () => {
  const options = { maxWait: 60_000, log: () => {} };
  const engine = await createLaneEngine(options);
  const native = await createNativeEngine(options);
  after(() => Promise.all([engine.close(), native.close()]));

  for (const { source, password, hash } of vectors) {
    test(`${source}: ${JSON.stringify(password)} ${hash.slice(0, 7)}`, async () => {
      const bytes = Buffer.from(password, 'latin1');
      assert.equal(await rehash(engine, bytes, hash), hash);
      if (!hash.includes('$12$')) assert.equal(await rehash(native, bytes, hash), hash);
    });
  }

  test('agrees with an independent library over random work', async t => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    t.diagnostic(`seed ${seed}`);
    const result = await compare(engine, { count: 1000, seed });
    assert.deepEqual(result.mismatches, []);
    assert.equal(result.compared, 1000);
    assert.ok(result.aborted > 0);
  });

  test('control: the comparison sees one wrong bit in one digest of five hundred', async () => {
    let computed = 0;
    const faulty = {
      async digest(work: Parameters<typeof engine.digest>[0]) {
        const digest = await engine.digest(work);
        computed++;
        if (computed === 250 && digest[22] !== undefined) digest[22] ^= 1;
        return digest;
      },
    };
    const { mismatches } = await compare(faulty, { count: 500, seed: 7 });
    assert.equal(mismatches.length, 1);
  });
});
