import { availableParallelism } from 'node:os';
import type { BcryptEngine } from './engine.ts';
import { nativeThreads } from './native.ts';
import { Scheduler } from './scheduler.ts';
import { workerThreads } from './worker.ts';

export * from './engine.ts';

export interface BcryptOptions {
  /** One per core unless said otherwise. */
  readonly threads?: number;
  /** The longest expected wait with which work is still taken on, in milliseconds; 3000 by default. */
  readonly maxWait?: number;
  /** How long `close()` lets work go on, in milliseconds; 5000 by default, which is more than anybody waits. */
  readonly closeWithin?: number;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
  /** Called when the portable engine has to stand in, with one line that says why. */
  readonly log: (line: string) => void;
}

/** The engine of lanes, or `@node-rs/bcrypt` where worker threads or WebAssembly are not to be had. */
export async function createBcryptEngine(options: BcryptOptions): Promise<BcryptEngine> {
  try {
    return await createLaneEngine(options);
  } catch (error) {
    const reasons = error instanceof Error && error.cause ? [error, error.cause] : [error];
    options.log(`hashing falls back to @node-rs/bcrypt: ${reasons.join(': ')}`);
    return createNativeEngine(options);
  }
}

/** Rejects where threads are forbidden and unless the kernel computes a published digest. No thread starts before work. */
export async function createLaneEngine(options: BcryptOptions): Promise<BcryptEngine> {
  const { threads = availableParallelism() } = options;
  const description = `WebAssembly, ${LANES} lanes x ${threads} threads`;
  if (process.permission?.has('worker') === false) throw new Error('worker threads need --allow-worker');
  const startThread = await workerThreads(LANES);
  return new Scheduler({ ...DEFAULTS, ...options, description, startThread, threads, lanes: LANES });
}

export async function createNativeEngine(options: BcryptOptions): Promise<BcryptEngine> {
  // libuv's pool has four threads, and files and cryptography need one.
  const threads = Math.min(options.threads ?? availableParallelism(), 3);
  const description = `@node-rs/bcrypt, ${threads} threads`;
  const startThread = await nativeThreads();
  return new Scheduler({ ...DEFAULTS, ...options, description, startThread, threads, lanes: 1 });
}

const DEFAULTS = { maxWait: 3000, closeWithin: 5000, idleAfter: 5000, now: () => performance.now() };

/** Measured, see docs/decisions/bcrypt-lanes.md: more of them make each hash slower and all together hardly faster. */
const LANES = 4;
