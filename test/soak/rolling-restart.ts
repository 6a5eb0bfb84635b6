/**
 * Three nodes behind a load balancer, replaced one after the other under load. No request may fail.
 * `node test/soak/rolling-restart.ts --rounds 20 --clients 8`; with `TEST_DATABASE=postgres` on PostgreSQL.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseArgs } from 'node:util';
import { rollNodes } from '../operation/rolling-restart.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, clients: { type: 'string', default: '8' } },
});
const [rounds, clients] = [Number(values.rounds), Number(values.clients)];

test(`${rounds} rounds under the load of ${clients} clients`, async t => {
  const began = performance.now();
  const { requests, failed, exitCodes, stops } = await rollNodes(t, { rounds, drainDelay: 1, clients });
  const seconds = (performance.now() - began) / 1000;
  t.diagnostic(
    `${requests} requests in ${seconds.toFixed(0)} s, ${failed.length} failed; ` +
      `a stop took ${Math.max(...stops).toFixed(0)} ms at most, ${exitCodes.filter(code => code === 0).length} ` +
      `of ${exitCodes.length} ended with 0`,
  );
  assert.deepEqual(failed, []);
  assert.deepEqual(exitCodes, Array(rounds * 3).fill(0));
});
