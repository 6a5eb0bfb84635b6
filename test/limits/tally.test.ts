import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  counted,
  current,
  endOf,
  nothing,
  type Policy,
  type Tally,
  waitOf,
  window,
  without,
} from '../../src/limits/tally.ts';

const minute = 60_000;
const doubling: Policy = { name: 'a', limit: 10, doubles: true };
const plain: Policy = { name: 'b', limit: 10, doubles: false };

/** Counts one at each of these times, and waits for nothing. */
function countAll(policy: Policy, times: readonly number[]): Tally {
  return times.reduce((tally, now) => counted(current(tally, now), policy, now), nothing);
}

/** Tries as soon as it may, so many times; how long the waits were, in minutes. */
function waits(policy: Policy, count: number): number[] {
  let [tally, now] = [nothing, 0];
  return Array.from({ length: count }, () => {
    const wait = waitOf(current(tally, now), policy, now);
    now += wait;
    tally = counted(current(tally, now), policy, now);
    return wait / minute;
  });
}

test('ten are free, then each costs twice the wait of the one before, up to the window', () => {
  assert.deepEqual(waits(doubling, 17), [...Array(10).fill(0), 1, 2, 4, 8, 15, 15, 15]);
});

test('where waits do not double, the window has to move on', () => {
  assert.deepEqual(waits(plain, 21), [...Array(10).fill(0), 15, ...Array(9).fill(0), 15]);
});

test('what is older than the window counts no more, and what is not does', () => {
  const nine = Array.from({ length: 9 }, (_, i) => i * 1000);
  const later = nine.map(time => time + window);
  assert.equal(
    waitOf(current(countAll(doubling, [...nine, ...later]), later.at(-1) ?? 0), doubling, later.at(-1) ?? 0),
    0,
  );
  // The tenth within the window, though it is the nineteenth.
  const tooSoon = [...nine, ...later.slice(0, 8), window + 7500];
  assert.equal(waitOf(current(countAll(doubling, tooSoon), window + 7500), doubling, window + 7500), minute);
});

test('all is forgotten when the wait and the window after it are over, and not before', () => {
  const tally = countAll(doubling, Array(10).fill(0));
  assert.equal(endOf(tally), minute + window);
  assert.equal(current(tally, minute + window - 1).strikes, 1);
  assert.deepEqual(current(tally, minute + window), nothing);
});

test('a clock that is set back makes nobody wait for longer than the wait was', () => {
  for (const step of [minute, 60 * minute, 24 * 60 * minute]) {
    let tally = countAll(doubling, Array(10).fill(step));
    assert.equal(waitOf(current(tally, 0), doubling, 0), minute);
    // Stored as it was then, it goes on from there.
    tally = current(tally, 0);
    assert.equal(waitOf(current(tally, minute), doubling, minute), 0);
    assert.equal(waitOf(current(countAll(plain, Array(10).fill(step)), 0), plain, 0), window);
  }
});

test('what is given back leaves what it found', () => {
  const before = countAll(
    doubling,
    Array.from({ length: 9 }, (_, i) => i),
  );
  assert.deepEqual(without(counted(before, doubling, 9), 9, doubling, 9), before);
  const waited = countAll(doubling, Array(10).fill(0));
  const after = without(counted(waited, doubling, minute), minute, doubling, minute);
  assert.equal(waitOf(after, doubling, minute), 0);
  assert.equal(after.strikes, 1);
  // Of ten at once, the first to be right opens the way for one more.
  assert.equal(waitOf(without(waited, 0, doubling, 0), doubling, 0), 0);
});

/** Gaps between tries in milliseconds, some of them steps of the clock. */
const gap = fc.oneof(
  fc.integer({ min: 0, max: 3 * minute }),
  fc.integer({ min: 0, max: 2 * window }),
  fc.constantFrom(0, 1, window, -minute, -60 * minute, -24 * 60 * minute),
);

test('whatever the order of times, no wait is longer than the window, and a clock that only goes on lets no more than the limit through', () => {
  fc.assert(
    fc.property(fc.array(gap, { maxLength: 80 }), fc.boolean(), (gaps, doubles) => {
      const policy = { name: 'x', limit: 5, doubles };
      const goesOn = gaps.every(one => one >= 0);
      let [tally, now] = [nothing, 48 * 60 * minute];
      const through: number[] = [];
      for (const one of gaps) {
        now += one;
        tally = current(tally, now);
        const wait = waitOf(tally, policy, now);
        assert.ok(wait >= 0 && wait <= window, `${wait}`);
        if (wait > 0) continue;
        tally = counted(tally, policy, now);
        assert.ok(tally.times.length <= policy.limit);
        through.push(now);
      }
      if (!goesOn) return;
      for (const start of through) {
        const within = through.filter(time => time >= start && time < start + window).length;
        // Beyond the limit one each after 1, 2, 4 and 8 minutes.
        assert.ok(within <= (doubles ? policy.limit + 4 : policy.limit), `${within} within a window`);
      }
    }),
    { numRuns: 2000 },
  );
});
