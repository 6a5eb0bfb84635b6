import assert from 'node:assert/strict';
import test from 'node:test';
import { onPostgres } from '../helpers/database.ts';
import { rollNodes } from './rolling-restart.ts';

test('three nodes are replaced under load, and no request fails', async t => {
  const { requests, failed, exitCodes } = await rollNodes(t, { rounds: 1, drainDelay: 2, clients: 3 });
  assert.deepEqual(failed, []);
  assert.deepEqual(exitCodes, Array(3).fill(0));
  assert.ok(requests > 50, `${requests} requests`);
});

// The control needs one engine: it is about the balancer.
if (!onPostgres) {
  test('without the delay some do, because the balancer does not know yet', async t => {
    const { failed } = await rollNodes(t, { rounds: 1, drainDelay: 0, clients: 3 });
    assert.notDeepEqual(failed, []);
  });
}
