import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { EngineFailed, Overloaded, type Priority } from '../../src/bcrypt/index.ts';
import { Job } from '../../src/bcrypt/job.ts';
import { Queue } from '../../src/bcrypt/queue.ts';
import { fakeScheduler, stateOf } from './fake-threads.ts';

suite('order', () => {
  test('first come, first served, on the thread with the fewest jobs', () => {
    const { started, digest, jobs, thread } = fakeScheduler();
    for (let count = 0; count < 6; count++) digest();
    assert.equal(started.length, 2);
    thread(0).ready();
    assert.deepEqual(jobs(), [[1, 2], []]);
    thread(1).ready();
    assert.deepEqual(jobs(), [
      [1, 2],
      [3, 4],
    ]);
    thread(1).finish(4);
    assert.deepEqual(jobs(), [
      [1, 2],
      [3, 5],
    ]);
    thread(0).finish(1);
    assert.deepEqual(jobs(), [
      [2, 6],
      [3, 5],
    ]);
  });

  test('jobs spread over the threads', () => {
    const { digest, jobs, thread } = fakeScheduler();
    for (let count = 0; count < 2; count++) digest();
    thread(0).ready();
    for (const id of [1, 2]) thread(0).finish(id);
    thread(1).ready();
    for (let count = 0; count < 4; count++) digest();
    assert.deepEqual(jobs(), [
      [3, 5],
      [4, 6],
    ]);
  });

  test('a place that is free is taken at once, whatever the cost of the jobs beside it', () => {
    const { digest, jobs, thread } = fakeScheduler({ threads: 1 });
    digest(31);
    thread(0).ready();
    for (const cost of [4, 12, 4]) digest(cost);
    assert.deepEqual(jobs(), [[1, 2]]);
    thread(0).finish(2);
    assert.deepEqual(jobs(), [[1, 3]]);
    thread(0).finish(3);
    assert.deepEqual(jobs(), [[1, 4]]);
  });

  test('a lower priority waits for the higher one, and in each the first come is the first served', () => {
    const { digest, jobs, thread } = fakeScheduler({ threads: 1, lanes: 1 });
    digest();
    thread(0).ready();
    for (const priority of [1, 0, 1, 0] as const) digest(4, undefined, priority);
    const order = [1, 3, 5, 2, 4];
    for (const id of order) {
      assert.deepEqual(jobs(), [[id]]);
      thread(0).finish(id);
    }
  });

  test('of a lower priority one goes after nine of the higher, where both wait', () => {
    const { digest, jobs, thread } = fakeScheduler({ threads: 1, lanes: 1 });
    digest();
    thread(0).ready();
    for (let count = 0; count < 30; count++) digest(4, undefined, count < 3 ? 1 : 0);
    let order = '';
    for (let [id] = jobs().flat(); id !== undefined; [id] = jobs().flat()) {
      order += id > 1 && id <= 4 ? '1' : '0';
      thread(0).finish(id);
    }
    assert.equal(order, '0000000001000000000100000000010');
  });

  test('who goes before a newcomer, and in which order all go, is known beforehand', () => {
    let seed = 1;
    const random = (below: number): number => {
      seed = (seed * 48_271) % 0x7fff_ffff;
      return seed % below;
    };
    let id = 0;
    const newJob = (flows: number, rarity: number): Job => {
      const priority = random(rarity) === 0 ? 1 : 0;
      const work = {
        password: Buffer.of(),
        salt: Buffer.alloc(16),
        cost: 4,
        priority,
        flow: `${random(flows)}`,
      } as const;
      return new Job(++id, work, 0, () => {});
    };
    const idsOf = (jobs: readonly Job[]) => jobs.map(job => job.id).sort((a, b) => a - b);
    for (let round = 0; round < 200; round++) {
      const queue = new Queue();
      const flows = 1 + random(6);
      const rarity = 1 + random(30);
      for (let step = random(80); step > 0; step--) {
        if (random(4) > 0) queue.add(newJob(flows, rarity));
        else queue.take();
      }
      const newcomer = newJob(flows + 1, 2);
      const before = queue.before(newcomer.priority, newcomer.flow);
      queue.add(newcomer);
      const all: Job[] = [];
      queue.reject(job => void all.push(job));
      const taken = Array.from({ length: queue.length }, () => queue.take() ?? assert.fail());
      assert.equal(queue.take(), undefined);
      assert.deepEqual(idsOf(before), idsOf(taken.slice(0, taken.indexOf(newcomer))));
      assert.deepEqual(
        all.map(job => job.id),
        taken.map(job => job.id),
      );
    }
  });

  test('work of a lower priority is judged by all that goes before it, and not kept waiting for ever', async () => {
    const { digest, thread, clock } = fakeScheduler({ threads: 1, lanes: 1, maxWait: 1000 });
    digest();
    thread(0).ready(1);
    // A rate of one round a millisecond: 2^9 of 512 ms each, so the third one has more than a second before it.
    const first = digest(9);
    const low = digest(9, undefined, 1);
    const refused = digest(9, undefined, 1);
    await assert.rejects(refused, Overloaded);
    // Whoever goes before has less before them.
    const high = digest(9);
    assert.equal(await stateOf(low), 'pending');
    clock.now = 1000;
    thread(0).finish(1, 1);
    assert.equal(await stateOf(low), 'pending');
    clock.now = 1001;
    thread(0).finish(2, 1);
    await assert.rejects(low, Overloaded);
    await assert.rejects(high, Overloaded, 'it was to wait for half a second');
    assert.ok(await first);
  });

  test('threads start as they are needed, one job at a time needs one', async () => {
    const { started, digest, thread } = fakeScheduler();
    assert.equal(started.length, 0);
    for (let id = 1; id <= 3; id++) {
      const answer = digest();
      if (id === 1) thread(0).ready();
      thread(0).finish(id);
      assert.deepEqual(await answer, new Uint8Array(23).fill(id));
    }
    assert.equal(started.length, 1);
  });

  test('threads end after a while without work, and start again with the next', async () => {
    const { started, digest, thread } = fakeScheduler({ idleAfter: 1 });
    const first = digest();
    thread(0).ready();
    assert.ok(!thread(0).ended);
    thread(0).finish(1);
    await first;
    while (!thread(0).ended) await new Promise(resolve => setTimeout(resolve, 1));
    const second = digest();
    assert.equal(started.length, 2);
    thread(1).ready();
    thread(1).finish(2);
    assert.deepEqual(await second, new Uint8Array(23).fill(2));
  });

  test('threads keep the process alive while there is work', () => {
    const { digest, thread } = fakeScheduler();
    digest();
    assert.ok(thread(0).alive);
    thread(0).ready();
    thread(0).finish(1);
    assert.ok(!thread(0).alive);
    digest();
    assert.ok(thread(0).alive);
  });
});

suite('flows', () => {
  /** One lane, which the first job of flow `a` has; `waiting` come after it. `serve`: ends it, and says whose is next. */
  function oneLane(waiting: readonly string[]) {
    const { digest, jobs, thread } = fakeScheduler({ threads: 1, lanes: 1 });
    const flows: string[] = [];
    const add = (flow: string, signal?: AbortSignal, priority?: Priority) => {
      flows.push(flow);
      return digest(4, signal, priority, flow);
    };
    add('a');
    thread(0).ready();
    for (const flow of waiting) add(flow);
    const serve = () => {
      for (const id of jobs().flat()) thread(0).finish(id);
      return jobs()
        .flat()
        .map(id => flows[id - 1]);
    };
    const order = () => {
      let all = '';
      for (let [flow] = serve(); flow !== undefined; [flow] = serve()) all += flow;
      return all;
    };
    return { add, serve, order };
  }

  test('take turns, however much one of them has waiting', () => {
    const { order } = oneLane([...'aaaabbc']);
    assert.equal(order(), 'abcabaa');
  });

  test('one that has nothing waiting goes behind those that do, and ahead of what they have besides', () => {
    const { add, serve, order } = oneLane([...'aaaaab']);
    assert.deepEqual(serve(), ['a']);
    add('c');
    assert.deepEqual(serve(), ['b']);
    add('b');
    assert.equal(order(), 'acbaaa');
  });

  test('that come back at once do not keep out one that waits', () => {
    const { add, serve } = oneLane([...'aaaabc']);
    let all = '';
    for (let count = 0; count < 9; count++) {
      const [next = ''] = serve();
      all += next;
      if (next !== 'a') add(next);
    }
    assert.equal(all, 'abcabcabc');
  });

  test('that hung up or never were are not remembered', async () => {
    const { add, order } = oneLane([...'bbb']);
    const controller = new AbortController();
    const gone = Array.from('aaade', flow => add(flow, controller.signal));
    controller.abort();
    for (const answer of gone) await assert.rejects(answer, { name: 'AbortError' });
    for (const flow of 'ada') add(flow);
    assert.equal(order(), 'badbab');
  });

  test('take turns within a priority, and each has turns of its own in the next', () => {
    const { add, order } = oneLane([]);
    for (const flow of 'xxy') add(flow, undefined, 1);
    for (const flow of 'aaaax') add(flow);
    assert.equal(order(), 'axaaaxyx');
  });

  test('keep the order of their jobs when a thread dies', () => {
    const { digest, jobs, thread } = fakeScheduler({ threads: 1, lanes: 2 });
    for (const flow of 'aabaa') digest(4, undefined, 0, flow);
    thread(0).ready();
    assert.deepEqual(jobs(), [[1, 3]]);
    thread(0).finish(3);
    assert.deepEqual(jobs(), [[1, 2]]);
    thread(0).die();
    thread(1).ready();
    assert.deepEqual([...thread(1).jobs.keys()], [1, 2]);
  });
});

suite('work', () => {
  test('is copied, and handed out as salt and password', () => {
    const { scheduler, thread } = fakeScheduler();
    const password = Buffer.from('secret');
    const salt = Buffer.from('saltsaltsaltsalt');
    scheduler.digest({ password, salt, cost: 5 });
    password.fill(0);
    salt.fill(0);
    thread(0).ready();
    assert.equal(Buffer.from(thread(0).jobs.get(1)?.input ?? []).toString(), 'saltsaltsaltsaltsecret');
  });

  for (const [how, end] of [
    ['computed', (job: Job) => job.resolve(new Uint8Array(23))],
    ['refused', (job: Job) => job.reject(new EngineFailed())],
  ] as const) {
    test(`leaves nothing behind when it is ${how}`, async () => {
      const work = { password: Buffer.from('secret'), salt: Buffer.alloc(16, 1), cost: 4 };
      const job = new Job(1, work, 0, () => {});
      assert.equal(Buffer.from(job.copyOfInput()).toString('latin1', 16), 'secret');
      end(job);
      assert.deepEqual(job.copyOfInput(), new Uint8Array(22));
      await stateOf(job.promise);
    });
  }

  const refused = [
    ['a password of 73 bytes', 73, 16, 4],
    ['a salt of 15 bytes', 1, 15, 4],
    ['a salt of 17 bytes', 1, 17, 4],
    ['a cost of 3', 1, 16, 3],
    ['a cost of 32', 1, 16, 32],
    ['a cost of 4.5', 1, 16, 4.5],
    ['a cost that is no number', 1, 16, Number.NaN],
  ] as const;
  for (const [what, password, salt, cost] of refused) {
    test(`refused: ${what}`, async () => {
      const { scheduler, started } = fakeScheduler();
      const work = { password: new Uint8Array(password), salt: new Uint8Array(salt), cost };
      await assert.rejects(scheduler.digest(work), RangeError);
      assert.equal(started.length, 0);
    });
  }
});

suite('cancellation', () => {
  const reason = new Error('nobody waits');

  test('before: no work', async () => {
    const { started, digest } = fakeScheduler();
    await assert.rejects(digest(4, AbortSignal.abort(reason)), reason);
    assert.equal(started.length, 0);
  });

  test('in the queue: it leaves at once and never reaches a thread', async () => {
    const { digest, jobs, thread } = fakeScheduler({ threads: 1, lanes: 1 });
    const controller = new AbortController();
    digest();
    thread(0).ready();
    const second = digest(4, controller.signal);
    digest();
    controller.abort(reason);
    await assert.rejects(second, reason);
    thread(0).finish(1);
    assert.deepEqual(jobs(), [[3]]);
    assert.deepEqual(thread(0).dropped, []);
    thread(0).finish(3);
    assert.ok(!thread(0).alive);
  });

  test('in a lane: answered at once, and the lane is taken until the thread has dropped it', async () => {
    const { digest, jobs, thread } = fakeScheduler({ threads: 1, lanes: 1 });
    const controller = new AbortController();
    const first = digest(31, controller.signal);
    thread(0).ready();
    digest();
    controller.abort(reason);
    await assert.rejects(first, reason);
    assert.deepEqual(thread(0).dropped, [1]);
    assert.deepEqual(jobs(), [[1]]);
    thread(0).dropDone(1);
    assert.deepEqual(jobs(), [[2]]);
  });

  test('after the end: nothing', async () => {
    const { digest, thread } = fakeScheduler();
    const controller = new AbortController();
    const answer = digest(4, controller.signal);
    thread(0).ready();
    thread(0).finish(1);
    controller.abort(reason);
    assert.deepEqual(thread(0).dropped, []);
    assert.equal((await answer).length, 23);
  });
});

suite('a thread that dies', () => {
  test('is replaced; its jobs are retried first, in their order', async () => {
    const { digest, jobs, thread } = fakeScheduler({ threads: 1 });
    const answers = [digest(), digest(), digest()];
    thread(0).ready();
    assert.deepEqual(jobs(), [[1, 2]]);
    thread(0).die();
    thread(1).ready();
    assert.deepEqual([...thread(1).jobs.keys()], [1, 2]);
    assert.equal(Buffer.from(thread(1).jobs.get(2)?.input ?? []).toString('latin1', 16), 'secret');
    for (const id of [1, 2, 3]) thread(1).finish(id);
    assert.equal((await Promise.all(answers)).length, 3);
  });

  test('twice with the same job: EngineFailed, and the others go on', async () => {
    const { digest, thread } = fakeScheduler({ threads: 1, lanes: 1 });
    const [first, second] = [digest(), digest()];
    thread(0).ready();
    thread(0).die();
    thread(1).ready();
    thread(1).die();
    await assert.rejects(first, EngineFailed);
    thread(2).ready();
    thread(2).finish(2);
    assert.equal((await second).length, 23);
  });

  test('with a cancelled job: that one is not retried', () => {
    const { digest, thread, started } = fakeScheduler({ threads: 1 });
    const controller = new AbortController();
    digest(4, controller.signal);
    thread(0).ready();
    controller.abort();
    thread(0).die();
    assert.equal(started.length, 1);
  });

  test('before it is ready, twice: EngineFailed for all, and the next job tries again', async () => {
    const { digest, thread, started } = fakeScheduler({ threads: 1 });
    const answers = [digest(), digest(), digest()];
    thread(0).die();
    assert.equal(await stateOf(answers[0] ?? assert.fail()), 'pending');
    thread(1).die();
    for (const answer of answers) await assert.rejects(answer, EngineFailed);
    assert.equal(started.length, 2);
    const next = digest();
    thread(2).ready();
    thread(2).finish(4);
    assert.equal((await next).length, 23);
  });

  test('before it is ready, while another one runs: that one does all', async () => {
    const { digest, thread, started } = fakeScheduler({ lanes: 1 });
    digest();
    thread(0).ready();
    const second = digest();
    thread(1).die();
    thread(2).die();
    assert.equal(started.length, 3);
    thread(0).finish(1);
    thread(0).finish(2);
    assert.equal((await second).length, 23);
  });

  test('cannot even be started: EngineFailed', async () => {
    const cause = new Error('no more threads');
    const startThread = () => {
      throw cause;
    };
    const { digest } = fakeScheduler({ startThread });
    await assert.rejects(digest(), error => error instanceof EngineFailed && error.cause === cause);
  });
});
