import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordEvent } from '../events.ts';
import { isServing, type Stop } from './messages.ts';
import { Restarts, settledAfter, shares } from './restarts.ts';

export interface Workers {
  /** As a URL, with the port that was taken. */
  readonly address: string;
  /** Has every worker stop as a single process does; rejects when one that served ended with a failure. */
  stop(drainDelay: number): Promise<void>;
}

interface WorkersOptions {
  readonly count: number;
  /** Threads that hash, divided among the workers. */
  readonly hashThreads: number;
  readonly record: RecordEvent;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonic: () => number;
  /** When another takes the place of a worker that ended; tests have others. */
  readonly restarts?: Pick<Restarts, 'afterDeath'>;
  /** Called once, with a line for the operator, when workers die again and again; nobody takes their places then. */
  readonly onGivenUp: (reason: string) => void;
}

/** How a worker ended: its exit code, the signal that ended it, or why it could not be started. */
type End = number | string;

/** The first worker ended before it served. It has said why, if it could. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed';
  readonly code: number;

  constructor(end: End) {
    super(`the first worker ended with ${end}`);
    this.code = typeof end === 'number' && end > 0 ? end : 1;
  }
}

/**
 * Runs the program that runs here in several processes behind one port. The first is waited for before the others are
 * started, so that the database is migrated once and whatever is wrong is said once: rejects with `WorkerFailed` then.
 */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const { record, monotonic, restarts = new Restarts() } = options;
  const running = new Set<Worker>();
  const servingSince = new WeakMap<Worker, number>();
  const over = new AbortController();
  let stopping: Stop | undefined;
  // However this process ends, none of them stays behind, not even one whose event loop does not turn.
  process.once('exit', () => {
    for (const worker of running) worker.process.kill('SIGKILL');
  });

  function start(hashThreads: number) {
    const worker = cluster.fork({ HASH_THREADS: hashThreads });
    running.add(worker);
    const { promise: served, resolve } = Promise.withResolvers<string>();
    worker.on('message', message => {
      if (!isServing(message)) return;
      servingSince.set(worker, monotonic());
      // Before it serves a worker has nobody who listens for it.
      if (stopping) worker.send(stopping, () => undefined);
      resolve(message.address);
    });
    const ended = once(worker, 'exit')
      .then(
        ([code, signal]): End => signal ?? code,
        error => String(error),
      )
      .finally(() => running.delete(worker));
    return { worker, served, ended };
  }

  /** Keeps a worker in a place until all is over; whether the last one ended well. */
  async function keep(hashThreads: number, first = start(hashThreads)): Promise<boolean> {
    for (let { worker, ended } = first; ; { worker, ended } = start(hashThreads)) {
      const end = await ended;
      if (over.signal.aborted) return end === 0 || !servingSince.has(worker);
      const now = monotonic();
      const served = now - (servingSince.get(worker) ?? now);
      const settled = [...running].some(other => now - (servingSince.get(other) ?? now) >= settledAfter);
      const delay = restarts.afterDeath(served, settled);
      record('worker_ended', { worker: worker.process.pid, end, restart_in_ms: delay ?? null });
      if (delay === undefined) {
        over.abort();
        options.onGivenUp(`workers end again and again, the last one with ${end}`);
        return false;
      }
      await sleep(delay, undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted) return true;
    }
  }

  const [forFirst = 1, ...forOthers] = shares(options.hashThreads, options.count);
  const first = start(forFirst);
  const address = await Promise.race([first.served, first.ended.then(end => new WorkerFailed(end))]);
  if (address instanceof WorkerFailed) throw address;
  const places = [keep(forFirst, first), ...forOthers.map(hashThreads => keep(hashThreads))];

  return {
    address,

    async stop(drainDelay) {
      stopping = { stop: drainDelay };
      over.abort();
      // One that has just gone cannot be told, and need not be.
      for (const worker of running) worker.send(stopping, () => undefined);
      if ((await Promise.all(places)).includes(false)) throw new Error('a worker did not stop as it should');
    },
  };
}
