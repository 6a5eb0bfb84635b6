/**
 * One refresh token used many times at the same moment, over two processes on one database:
 * `node test/soak/refresh-races.ts --rounds 1000 --seed 1`. Every round has one lineage and nobody is logged out.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseArgs } from 'node:util';
import { randomFrom } from '../database/support.ts';
import { serviceFolder } from '../helpers/database.ts';
import { logIn, me, refresh } from '../helpers/nodes.ts';
import { ServiceProcess } from '../helpers/process.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
});
const [rounds, seed] = [Number(values.rounds), Number(values.seed)];

test(`${rounds} rounds each of 2, 10 and 50 uses at once, seed ${seed}`, async t => {
  const folder = await serviceFolder(t);
  const settings = {
    NODE_ENV: 'test',
    BCRYPT_COST: '4',
    LOG_LEVEL: 'warn',
  };
  const first = new ServiceProcess(t, folder, settings);
  const a = await first.client();
  const second = new ServiceProcess(t, folder, settings);
  const b = await second.client();
  const random = randomFrom(seed);
  const person = await a.register();

  for (const parallel of [2, 10, 50]) {
    let tokens = await logIn(a, person);
    let late = 0;
    const began = performance.now();
    for (let round = 0; round < rounds; round++) {
      const answers = await Promise.all(
        Array.from({ length: parallel }, async () => {
          // Some at once, some when the others are half done.
          for (let wait = Math.floor(random() * random() * 20); wait > 0; wait--) {
            await new Promise(setImmediate);
          }
          return await refresh(random() < 0.5 ? a : b, tokens.refresh_token);
        }),
      );
      const refused = answers.filter(({ status }) => status !== 200);
      assert.deepEqual(refused, [], `round ${round} of ${parallel}`);
      const successors = new Set(answers.map(({ body }) => body.refresh_token));
      assert.equal(successors.size, 1, `round ${round} of ${parallel}`);
      assert.ok(!successors.has(tokens.refresh_token));
      const last = answers[Math.floor(random() * parallel)]?.body;
      assert.deepEqual([await me(a, last.access_token), await me(b, last.access_token)], [200, 200]);
      tokens = last;
      late += parallel - 1;
    }
    const seconds = (performance.now() - began) / 1000;
    t.diagnostic(
      `${parallel} at once: ${rounds} rounds, ${late} repeats, ${Math.round((rounds * parallel) / seconds)} refreshes a second`,
    );
    const list = await b.get('/me/sessions', { token: tokens.access_token });
    assert.equal(list.body.items.filter((item: { current: boolean }) => item.current).length, 1);
  }
  for (const service of [first, second]) {
    const { code, stdout } = await service.stop();
    // The server of the tests does not sync, and the service says so.
    const lines = stdout.split('\n').filter(line => line !== '' && !line.includes('"database_not_durable"'));
    assert.deepEqual([code, lines], [0, []]);
  }
});
