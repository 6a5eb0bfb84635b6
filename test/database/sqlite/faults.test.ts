/** A short run of every experiment on SQLite and its control; `npm run faults` has the long ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { experiments } from '../../faults/experiments.ts';

/** `power` needs strace, and `power-loss.test.ts` is what the suite has of it; the others are about PostgreSQL. */
const elsewhere = ['power', 'nodes', 'database-crash', 'failover'];

for (const { name, shows, unable, run, control } of experiments.filter(
  ({ name }) => !elsewhere.includes(name),
)) {
  const plan = { seed: 1, scale: 'short', rounds: undefined, database: undefined } as const;
  const skip = unable?.(plan) ?? false;
  test(`${name}: ${shows}`, { skip }, async t => {
    const { findings, figures } = await run(t, plan);
    assert.deepEqual(findings, []);
    assert.ok(Object.values(figures).some(figure => Number(figure) > 0));
  });
  test(`${name}: the control is caught`, { skip }, async t => {
    const { findings } = await control(t, plan);
    assert.notDeepEqual(findings, []);
  });
}
