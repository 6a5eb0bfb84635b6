import assert from 'node:assert/strict';
import test from 'node:test';
import { startNodes } from '../helpers/nodes.ts';
import { address, countingEngine, failFrom, logInFrom, proxied, tally, wrong } from './support.ts';

const hour = 3600;
const day = 24 * hour;

for (const step of [hour, day, -hour, -day]) {
  test(`a clock that is set by ${step / hour} hours locks nobody out for good, and lets no more through than the limit`, async t => {
    const engine = await countingEngine(t);
    const { a, b, time } = await startNodes(t, { engine, settings: proxied });
    const { email, password } = await a.register();
    await failFrom(a, email, 12, address);
    time.turn(step);
    engine.count = 0;
    const statuses = await failFrom(b, email, 30, number => address(100 + number));
    // Forward, what was before is long ago. Backward, the wait of a minute begins again.
    assert.equal(tally(statuses), step > 0 ? '401 x 10, 429 x 20' : '429 x 30');
    assert.equal(engine.count, step > 0 ? 10 : 0);
    const refused = await logInFrom(a, address(1), email, wrong);
    assert.ok(Number(refused.headers.get('retry-after')) <= 60);
    time.turn(60);
    assert.equal((await logInFrom(a, address(1), email, password)).status, 200);
    // And back again, when somebody has noticed.
    time.turn(-step);
    assert.equal((await logInFrom(a, address(1), email, password)).status, 200);
    const stranger = await logInFrom(b, address(300), email, password);
    const wait = Number(stranger.headers.get('retry-after') ?? 0);
    assert.ok(wait <= 60, `${wait}`);
    time.turn(wait);
    assert.equal((await logInFrom(b, address(300), email, password)).status, 200);
  });
}

test('two nodes whose clocks differ by half a minute count together', async t => {
  const engine = await countingEngine(t);
  const { a, b, time } = await startNodes(t, { engine, settings: proxied, skew: 30 });
  const { email, password } = await a.register();
  engine.count = 0;
  const statuses: number[] = [];
  for (let number = 0; number < 40; number++)
    statuses.push((await logInFrom(number % 2 ? a : b, address(number), email, wrong)).status);
  assert.equal(tally(statuses), '401 x 10, 429 x 30');
  assert.equal(engine.count, 10);
  const waits = [];
  for (const node of [a, b, a, b]) {
    const { headers } = await logInFrom(node, address(1), email, wrong);
    waits.push(Number(headers.get('retry-after')));
  }
  for (const wait of waits) assert.ok(wait > 0 && wait <= 60, `${wait}`);
  time.turn(60);
  for (const node of [a, b]) assert.equal((await logInFrom(node, address(1), email, password)).status, 200);
});
