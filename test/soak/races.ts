/**
 * Thousands of races over three nodes, processes of their own on one database: `TEST_DATABASE=postgres node
 * test/soak/races.ts --rounds 2000 --seed 1`. Every round's history is checked; the first that cannot be ends its test
 * and is printed. The control: one node of the three remembers what it has read, and has to be caught.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { randomFrom } from '../database/support.ts';
import { startProcesses } from '../races/processes.ts';
import { play, type Race, races } from '../races/rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    /** The beginning of the name of a race; all are run where it is not given. */
    race: { type: 'string', default: '' },
  },
});
const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
const chosen = (Object.keys(races) as Race[]).filter(name => name.startsWith(values.race));

test(`${rounds} rounds of each race, seed ${seed}`, async t => {
  const racers = await startProcesses(t);
  for (const race of chosen) {
    await t.test(race, async t => {
      const random = randomFrom(seed);
      const began = performance.now();
      let requests = 0;
      for (let round = 0; round < rounds; round++) {
        const { found, count } = await play(race, racers, nameOf(race, round), random);
        assert.deepEqual(found, [], `round ${round}`);
        requests += count;
      }
      const seconds = (performance.now() - began) / 1000;
      t.diagnostic(
        `${rounds} rounds, ${requests} requests in ${seconds.toFixed(1)} s, ` +
          `${(rounds / seconds).toFixed(1)} rounds a second, no violation`,
      );
    });
  }
});

/** The others have nothing to do with what the broken node remembers. */
const caught = chosen.filter(name => !name.startsWith('same'));

test(`control: a node that remembers is caught, seed ${seed}`, { skip: caught.length === 0 }, async t => {
  const broken = fileURLToPath(new URL('../races/remembering-service.ts', import.meta.url));
  const racers = await startProcesses(t, { broken });
  for (const race of caught) {
    await t.test(race, async t => {
      const random = randomFrom(seed);
      let found: readonly string[] = [];
      let round = 0;
      for (; found.length === 0 && round < 20; round++)
        ({ found } = await play(race, racers, nameOf(race, round), random));
      assert.ok(found.length > 0, 'nothing was found');
      t.diagnostic(`caught in round ${round}: ${found[0]?.slice(0, 200)}`);
    });
  }
});

function nameOf(race: Race, round: number): string {
  return `${race.replaceAll(/\W+/g, '-')}-${round}`;
}
