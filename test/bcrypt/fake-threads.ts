import type { Priority } from '../../src/bcrypt/index.ts';
import { Scheduler, type SchedulerOptions } from '../../src/bcrypt/scheduler.ts';
import type { Thread, ThreadEvents } from '../../src/bcrypt/thread.ts';

/** A thread whose work the test does. */
export class FakeThread implements Thread {
  readonly events: ThreadEvents;
  readonly jobs = new Map<number, { input: Uint8Array; cost: number }>();
  readonly dropped: number[] = [];
  alive = false;
  ended = false;

  constructor(events: ThreadEvents) {
    this.events = events;
  }

  join(id: number, input: Uint8Array, cost: number) {
    this.jobs.set(id, { input, cost });
  }

  drop(id: number) {
    this.dropped.push(id);
  }

  keepAlive(yes: boolean) {
    this.alive = yes;
  }

  async end() {
    this.ended = true;
    this.events.exited();
  }

  ready(rate = 0) {
    this.events.report({ finished: [], rate });
  }

  finish(id: number, rate = 0) {
    this.jobs.delete(id);
    this.events.report({ finished: [{ id, digest: new Uint8Array(23).fill(id) }], rate });
  }

  dropDone(id: number) {
    this.jobs.delete(id);
    this.events.report({ finished: [{ id }], rate: 0 });
  }

  die() {
    this.events.exited();
  }
}

/** Two threads of two lanes, a rate to be told, and a clock that stands still. */
export function fakeScheduler(options: Partial<SchedulerOptions> = {}) {
  const started: FakeThread[] = [];
  const clock = { now: 0 };
  const scheduler = new Scheduler({
    description: 'fake',
    startThread: events => {
      const thread = new FakeThread(events);
      started.push(thread);
      return thread;
    },
    threads: 2,
    lanes: 2,
    maxWait: 1000,
    closeWithin: 5000,
    idleAfter: 5000,
    now: () => clock.now,
    ...options,
  });
  const digest = (cost = 4, signal?: AbortSignal, priority?: Priority, flow?: string) => {
    const answer = scheduler.digest({
      password: Buffer.from('secret'),
      salt: new Uint8Array(16),
      cost,
      signal,
      priority,
      flow,
    });
    answer.catch(() => {}); // looked at later
    return answer;
  };
  /** The ids of the jobs on each thread. */
  const jobs = () => started.map(thread => [...thread.jobs.keys()]);
  /** The thread that was started as the n-th, from 0. */
  const thread = (index: number): FakeThread => {
    const found = started[index];
    if (found === undefined) throw new Error(`${started.length} threads were started`);
    return found;
  };
  return { scheduler, started, clock, digest, jobs, thread };
}

/** `pending`, or how it ended. */
export async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  let state: unknown = 'pending';
  const ended = (how: unknown) => {
    state = how;
  };
  promise.then(ended, ended);
  await new Promise(resolve => setImmediate(resolve));
  return state;
}
