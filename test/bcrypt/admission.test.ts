import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type BcryptEngine, EngineClosed, Overloaded, type Priority } from '../../src/bcrypt/index.ts';
import { fakeScheduler, stateOf } from './fake-threads.ts';

/** One thread of one lane does 16 rounds (cost 4) in 100 ms; nobody may wait longer than a second. */
const slow = { threads: 1, lanes: 1 };
const RATE = 0.16;

const overloaded = (retryAfter: number) => (error: unknown) => {
  assert.ok(error instanceof Overloaded);
  assert.equal(error.retryAfter, retryAfter);
  return true;
};

suite('admission', () => {
  test('refuses before any work when the expected wait is too long', async () => {
    const { digest, thread, jobs } = fakeScheduler(slow);
    digest();
    thread(0).ready(RATE);
    const admitted = Array.from({ length: 10 }, () => digest());
    const refused = digest();
    await assert.rejects(refused, overloaded(1));
    assert.deepEqual(jobs(), [[1]]);
    for (const answer of admitted) assert.equal(await stateOf(answer), 'pending');
    // The refused one is not in the queue: the eleventh of the admitted is the last to be computed.
    for (let id = 1; id <= 11; id++) thread(0).finish(id);
    assert.deepEqual(jobs(), [[]]);
  });

  test('says when to come back', async () => {
    const { digest, thread } = fakeScheduler(slow);
    digest();
    thread(0).ready(RATE);
    digest(10); // 64 times as long: 6.4 s, and 0.1 s before it
    await assert.rejects(digest(), overloaded(6));
  });

  test('counts rounds, not jobs', async () => {
    const { digest, thread } = fakeScheduler(slow);
    digest();
    thread(0).ready(RATE);
    for (const cost of [6, 6]) assert.equal(await stateOf(digest(cost)), 'pending'); // 0.1 + 0.4 + 0.4 s
    assert.equal(await stateOf(digest(5)), 'pending'); // + 0.2 s
    await assert.rejects(digest(4), overloaded(1));
  });

  test('knows what has been done of the jobs in the lanes', async () => {
    const { digest, thread, clock } = fakeScheduler(slow);
    digest(8); // 1.6 s
    thread(0).ready(RATE);
    await assert.rejects(digest(), overloaded(1));
    clock.now = 500;
    await assert.rejects(digest(), overloaded(1));
    clock.now = 700;
    assert.equal(await stateOf(digest()), 'pending');
  });

  test('knows that the lanes of a thread share its rate', async () => {
    const { digest, thread, clock } = fakeScheduler({ threads: 1, lanes: 2 });
    for (let count = 0; count < 2; count++) digest(8);
    thread(0).ready(RATE); // 3.2 s for both
    clock.now = 2100;
    await assert.rejects(digest(), overloaded(1));
    clock.now = 2200;
    assert.equal(await stateOf(digest()), 'pending');
  });

  test('follows the measured rate', async () => {
    const { digest, thread } = fakeScheduler(slow);
    digest();
    thread(0).ready(RATE);
    for (let count = 0; count < 10; count++) digest();
    await assert.rejects(digest(), overloaded(1));
    for (let id = 1; id <= 2; id++) thread(0).finish(id, 2 * RATE);
    for (let count = 0; count < 5; count++) assert.equal(await stateOf(digest()), 'pending');
  });

  test('never refuses while a place is free', async () => {
    const { digest, thread } = fakeScheduler({ threads: 1, lanes: 2 });
    digest(31);
    thread(0).ready(RATE);
    assert.equal(await stateOf(digest(31)), 'pending');
    await assert.rejects(digest(4), Overloaded);
  });

  test('of one flow fills its own queue: what goes before a newcomer of another is what counts', async () => {
    const { digest, thread, clock, jobs } = fakeScheduler(slow);
    const of = (flow: string, priority?: Priority) => digest(4, undefined, priority, flow);
    of('flood');
    thread(0).ready(RATE);
    const flood = Array.from({ length: 10 }, () => of('flood'));
    await assert.rejects(of('flood'), overloaded(1));
    const others = [of('other'), of('another')];
    // The lane, one of the flood, the others, and so on by turns.
    const more = [of('other'), of('other')];
    for (const answer of [...flood, ...others, ...more]) assert.equal(await stateOf(answer), 'pending');
    await assert.rejects(of('flood'), overloaded(1));
    // Served: one of the flood, the two others, one of the flood, and so on.
    for (const [id, next] of [
      [1, 2],
      [2, 12],
      [12, 13],
      [13, 3],
      [3, 14],
    ] as const) {
      thread(0).finish(id, RATE);
      assert.deepEqual(jobs(), [[next]]);
    }
    // What was overtaken for longer than was expected of it is refused, and makes room.
    clock.now = 1001;
    thread(0).finish(14, RATE);
    for (const answer of flood.slice(2)) await assert.rejects(answer, overloaded(1));
    assert.equal(await stateOf(of('flood')), 'pending');
  });

  test('of the higher priority keeps out none of the lower that have their share of it', async () => {
    const { digest, thread } = fakeScheduler({ ...slow, maxWait: 2000 });
    const of = (flow: string, priority: Priority) => digest(4, undefined, priority, flow);
    of('flood', 0);
    thread(0).ready(RATE);
    const flood = Array.from({ length: 20 }, () => of('flood', 0));
    await assert.rejects(of('flood', 0), overloaded(1));
    // The lane is the first of nine: 0.9 s, then 1.9 s. A third would have all of the flood before it.
    const low = [of('a', 1), of('b', 1)];
    await assert.rejects(of('c', 1), overloaded(1));
    for (const answer of [...flood, ...low]) assert.equal(await stateOf(answer), 'pending');
  });

  test('counts, of the flows behind one, what goes before its next turn', async () => {
    const { digest, thread } = fakeScheduler(slow);
    const of = (flow: string, cost: number) => digest(cost, undefined, 0, flow);
    of('first', 4);
    thread(0).ready(RATE);
    of('first', 4);
    for (const flow of 'abc')
      for (const cost of [4, 5]) assert.equal(await stateOf(of(flow, cost)), 'pending');
    // 0.5 s: the lane, and one of each. With what the others have besides, it were 1.1.
    assert.equal(await stateOf(of('first', 8)), 'pending');
    await assert.rejects(of('first', 4), overloaded(2), '2.7 s');
  });

  test('is bounded, however many flows there are and however much each has', async () => {
    for (const [each, most] of [
      [1, 10],
      // So many flows have one at least, so many two, and so on: ten divided by one, by two, and so on.
      [12, 10 + 5 + 3 + 2 + 2 + 1 + 1 + 1 + 1 + 1],
    ] as const) {
      const { digest, thread } = fakeScheduler(slow);
      digest();
      thread(0).ready(RATE);
      const answers: Promise<unknown>[] = [];
      for (let flow = 0; flow < 20; flow++)
        for (let count = 0; count < each; count++) answers.push(digest(4, undefined, 0, `${flow}`));
      const states = await Promise.all(answers.map(stateOf));
      assert.equal(states.filter(state => state === 'pending').length, most);
    }
  });

  test('judges the first burst as soon as the first rate is known', async () => {
    const { digest, thread, jobs } = fakeScheduler(slow);
    const answers = Array.from({ length: 30 }, () => digest());
    const other = digest(4, undefined, 0, 'other');
    thread(0).ready(RATE);
    assert.equal(await stateOf(other), 'pending');
    const states = await Promise.all(answers.map(stateOf));
    assert.ok(states.slice(0, 10).every(state => state === 'pending'));
    assert.ok(states.slice(10).every(state => state instanceof Overloaded));
    assert.equal(states.length, 30);
    assert.deepEqual(jobs(), [[1]]);
  });
});

suite('close', () => {
  const isClosed = (answer: ReturnType<BcryptEngine['digest']>) => assert.rejects(answer, EngineClosed);

  test('lets what was taken on finish, refuses what comes, ends the threads', async () => {
    const { scheduler, digest, thread } = fakeScheduler(slow);
    const answers = [digest(), digest()];
    thread(0).ready();
    const closed = scheduler.close();
    await isClosed(digest());
    thread(0).finish(1);
    assert.equal(await stateOf(closed), 'pending');
    thread(0).finish(2);
    await closed;
    assert.equal((await Promise.all(answers)).length, 2);
    assert.ok(thread(0).ended);
    await scheduler.close();
  });

  test('refuses what has not finished in time, in a lane or in the queue', async () => {
    const { scheduler, digest, thread, started } = fakeScheduler({ ...slow, closeWithin: 1 });
    const answers = [digest(31), digest()];
    thread(0).ready();
    await scheduler.close();
    for (const answer of answers) await isClosed(answer);
    assert.ok(thread(0).ended);
    assert.equal(started.length, 1, 'and no thread takes its place');
  });

  test('of an engine that did nothing', async () => {
    const { scheduler, digest, started } = fakeScheduler();
    await scheduler.close();
    await isClosed(digest());
    assert.equal(started.length, 0);
  });
});
