/**
 * Thousands of races over three nodes on one database: `TEST_DATABASE=postgres node test/soak/races.ts --rounds 2000
 * --seed 1`. Every round's history is checked; the first that cannot be ends its test and is printed.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseArgs } from 'node:util';
import { randomFrom } from '../database/support.ts';
import { startRacers } from '../races/nodes.ts';
import { play, type Race, races } from '../races/rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    /** The beginning of the name of a race; all are run where it is not given. */
    race: { type: 'string', default: '' },
  },
});
const [rounds, seed] = [Number(values.rounds), Number(values.seed)];

for (const race of Object.keys(races).filter(name => name.startsWith(values.race)) as Race[]) {
  test(`${race}: ${rounds} rounds, seed ${seed}`, async t => {
    const racers = await startRacers(t);
    const random = randomFrom(seed);
    const began = performance.now();
    let requests = 0;
    for (let round = 0; round < rounds; round++) {
      const { found, count } = await play(race, racers, `${round}`, random);
      assert.deepEqual(found, [], `round ${round}`);
      requests += count;
    }
    const seconds = (performance.now() - began) / 1000;
    t.diagnostic(`${requests} requests in ${seconds.toFixed(1)} s, no violation`);
  });
}
