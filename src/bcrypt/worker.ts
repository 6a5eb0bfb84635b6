import { Worker } from 'node:worker_threads';
import { STATE_BYTES } from './blowfish.ts';
import { kernel, layout } from './kernel.ts';
import { Lanes, type Layout } from './lanes.ts';
import { fractionOfPi } from './pi.ts';
import type { Finished, Report, StartThread } from './thread.ts';

/**
 * Starts worker threads with `lanes` lanes each, which share one compiled kernel. A worker runs the text of a class and a
 * function of this program, whose types are gone by then: a TypeScript file of its own would load the compiler into
 * every worker (10 MB and 30 ms each).
 */
export async function workerThreads(lanes: number): Promise<StartThread> {
  const module = await WebAssembly.compile(kernel(lanes, fractionOfPi(STATE_BYTES)));
  selfTest(new Lanes(new WebAssembly.Instance(module), layout));
  const source = `(${work})(require('node:worker_threads'), require('node:os'), require('node:fs'), ${Lanes});`;
  const workerData: Parameters = { module, layout, lanes };

  return ({ report, exited }) => {
    const worker = new Worker(source, { ...options, workerData });
    worker.on('message', report);
    worker.on('error', exited);
    worker.on('exit', () => exited());
    return {
      join(id, input, cost) {
        const message: Message = { join: id, input, cost };
        worker.postMessage(message, [input.buffer]); // moved, not copied
      },
      drop(id) {
        const message: Message = { drop: id };
        worker.postMessage(message);
      },
      keepAlive(yes) {
        if (yes) worker.ref();
        else worker.unref();
      },
      async end() {
        await worker.terminate();
      },
    };
  };
}

/** Throws unless the kernel computes crypt_blowfish's first vector: "U*U" at cost 5, salt and digest without their Base64. */
function selfTest(lanes: Lanes): void {
  const salt = Buffer.from('10410410410410410410410410410410', 'hex');
  const digest = Buffer.from('1bb69143f9a8d304c8d23d99ab049a77a68e2ccc744206', 'hex');
  lanes.join(1, Buffer.concat([salt, Buffer.from('U*U')]), 5);
  while (lanes.busy > 0) {
    const [done] = lanes.run(2 ** 5).finished;
    if (done && !digest.equals(done.digest ?? new Uint8Array()))
      throw new Error('the kernel computes a wrong digest');
  }
}

/** A worker needs nothing of the program's environment and flags, and hardly any heap. */
const options = {
  eval: true,
  name: 'bcrypt',
  env: {},
  execArgv: [],
  resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 },
};

interface Parameters {
  readonly module: WebAssembly.Module;
  readonly layout: Layout;
  readonly lanes: number;
}

type Message =
  | { readonly join: number; readonly input: Uint8Array; readonly cost: number }
  | { readonly drop: number };

/** The worker's program. Its text alone is sent there, so it refers to nothing but its arguments and globals. */
function work(
  { parentPort, workerData }: typeof import('node:worker_threads'),
  { setPriority }: typeof import('node:os'),
  { readlinkSync }: typeof import('node:fs'),
  LanesClass: typeof Lanes,
): void {
  /** A slice of one to two milliseconds: how long a newcomer waits to join. */
  const ROUNDS = 16;
  const { module, layout: places, lanes: capacity }: Parameters = workerData;

  if (process.platform === 'linux') {
    try {
      // Linux takes a thread for a process here: this one gives way to the event loop when there is one core too few.
      setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), 10);
    } catch {
      // No /proc, or a sandbox that forbids it: hashing works as well at the normal priority.
    }
  }

  const lanes = new LanesClass(new WebAssembly.Instance(module), places);
  const full = { rounds: 0, time: 0 };
  let awake = false;
  warmUp();
  report([], full.rounds / full.time);

  parentPort?.on('message', (message: Message) => {
    if ('drop' in message) {
      if (lanes.drop(message.drop)) report([{ id: message.drop }], 0);
      return;
    }
    lanes.join(message.join, message.input, message.cost);
    if (!awake) setImmediate(turn);
    awake = true;
  });

  /** One slice; between two of them messages are received. */
  function turn() {
    if (lanes.busy === 0) {
      awake = false;
      return;
    }
    const finished = slice();
    if (finished.length > 0) report(finished, measured());
    setImmediate(turn);
  }

  function slice(): readonly Finished[] {
    const busy = lanes.busy;
    const start = performance.now();
    const { rounds, finished } = lanes.run(ROUNDS);
    if (busy === capacity) {
      full.rounds += busy * rounds;
      full.time += performance.now() - start;
    }
    return finished;
  }

  /** An average over less than 50 ms says little. */
  function measured(): number {
    if (full.time < 50) return 0;
    const rate = full.rounds / full.time;
    full.rounds = 0;
    full.time = 0;
    return rate;
  }

  /** Lets the engine optimise the code and measures its rate, before there is work: some five milliseconds. */
  function warmUp() {
    for (let id = 0; id < capacity; id++) lanes.join(id, new Uint8Array(16), 6);
    slice();
    full.rounds = 0;
    full.time = 0;
    while (lanes.busy > 0) slice();
  }

  function report(finished: readonly Finished[], rate: number) {
    const message: Report = { finished, rate };
    parentPort?.postMessage(message);
  }
}
