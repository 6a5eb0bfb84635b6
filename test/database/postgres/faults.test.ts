/** A short run of every experiment on PostgreSQL and its control; `npm run faults` has the long ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { experiments } from '../../faults/experiments.ts';

const plan = { seed: 1, scale: 'short', rounds: undefined, database: undefined } as const;

for (const { name, shows, run, control } of experiments.filter(({ name }) =>
  /^(nodes|database-crash)$/.test(name),
)) {
  test(`${name}: ${shows}`, async t => {
    const { findings, figures } = await run(t, plan);
    assert.deepEqual(findings, []);
    assert.ok(Object.values(figures).some(figure => Number(figure) > 0));
  });
  test(`${name}: the control is caught`, async t => {
    const { findings } = await control(t, plan);
    assert.notDeepEqual(findings, []);
  });
}
