import assert from 'node:assert/strict';
import test from 'node:test';
import { randomFrom } from '../database/support.ts';
import { keepKeys, type Plant, rememberSessions, startRacers } from './nodes.ts';
import { play, type Race, races } from './rounds.ts';

/** test/soak/races.ts plays others, and longer. */
const seed = 1;

for (const race of Object.keys(races) as Race[]) {
  test(`${race}: rounds over three nodes break no rule`, async t => {
    const racers = await startRacers(t);
    const random = randomFrom(seed);
    for (let round = 0; round < (race === 'key rotation' ? 2 : 5); round++)
      assert.deepEqual((await play(race, racers, `${round}`, random)).found, [], `round ${round}`);
  });
}

/** What must be caught, were a node like this. */
const broken: readonly (readonly [race: Race, plant: Plant, rule: RegExp])[] = [
  ['logout, then a look elsewhere', rememberSessions, /^a session that is over counts/],
  ['password change', rememberSessions, /^a session that is over counts/],
  [
    'key rotation',
    keepKeys,
    /^(a session that is not over does not count|a key that signs is not published)/,
  ],
];

test('the control: a node that remembers is caught', async t => {
  for (const [race, plant, rule] of broken) {
    const racers = await startRacers(t, { plant });
    const random = randomFrom(seed);
    let found: readonly string[] = [];
    for (let round = 0; found.length === 0 && round < 20; round++)
      ({ found } = await play(race, racers, `${round}`, random));
    assert.match(found.join('\n'), rule, race);
  }
});
