import assert from 'node:assert/strict';
import test from 'node:test';
import { Restarts, shares } from '../../src/cluster/restarts.ts';

test('early deaths wait longer each time, and end where nobody has proved to work', () => {
  const restarts = new Restarts();
  const delays = Array.from({ length: 10 }, () => restarts.afterDeath(9999, false));
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, undefined]);
});

test('while another works it is tried again and again, but not often', () => {
  const restarts = new Restarts();
  const delays = Array.from({ length: 1000 }, () => restarts.afterDeath(0, true));
  assert.ok(delays.slice(6).every(delay => delay === 5000));
  assert.equal(restarts.afterDeath(0, false), undefined);
});

test('a death after a life that was long enough begins the count anew', () => {
  const restarts = new Restarts();
  for (let i = 0; i < 9; i++) restarts.afterDeath(0, false);
  assert.equal(restarts.afterDeath(10_000, false), 100);
  assert.equal(restarts.afterDeath(0, false), 200);
});

test('threads are divided evenly, and nobody is without', () => {
  assert.deepEqual(shares(8, 4), [2, 2, 2, 2]);
  assert.deepEqual(shares(5, 3), [2, 2, 1]);
  assert.deepEqual(shares(1, 3), [1, 1, 1]);
});
