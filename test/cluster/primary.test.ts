import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';

const programFile = new URL('program.ts', import.meta.url).pathname;

test('several processes serve behind one port and share the hashing threads', async t => {
  const program = start(t, 3);
  const workers = await program.workers(3);
  assert.deepEqual([...workers.values()].sort(), [1, 2, 2]);
  assert.equal(await program.stop('SIGTERM'), 0);
});

test('a worker that crashes is replaced, with its share of the threads', async t => {
  const program = start(t, 2);
  const before = await program.workers(2);
  const [crashed = 0] = before.keys();
  process.kill(crashed, 'SIGKILL');
  const after = await program.workers(2, crashed);
  assert.deepEqual([...after.values()].sort(), [2, 3]);
  assert.equal(await program.stop('SIGTERM'), 0);
  assert.match(program.stdout, new RegExp(`"event":"worker_ended","worker":${crashed},"end":"SIGKILL"`));
});

test('workers that end again and again are given up, with a reason', async t => {
  // The first serves, the second and all after it end at once.
  const program = start(t, 2, 2);
  assert.equal(await program.ended, 1);
  assert.match(program.stderr, /^workers end again and again, the last one with 3$/m);
  assert.equal(program.stdout.match(/worker_ended/g)?.length, 5);
});

test('a first worker that cannot start is the only one, and its exit code that of them all', async t => {
  const program = start(t, 4, 1);
  assert.equal(await program.ended, 3);
  assert.deepEqual([program.stdout, program.stderr], ['', '']);
});

for (const signal of ['SIGKILL', 'SIGINT'] as const) {
  test(`no worker outlives a primary that ends by ${signal}`, async t => {
    const program = start(t, 2);
    await program.workers(2);
    await program.stop(signal);
  });
}

test('a primary that ends in its own way takes a worker with it whose event loop does not turn', async t => {
  const program = start(t, 2);
  await program.workers(2);
  const hanging = fetch(`${program.url}/hang`).catch(() => undefined);
  await program.workers(1);
  // Nothing comes of the orderly end now.
  program.child.kill('SIGTERM');
  program.child.kill('SIGUSR2');
  assert.equal(await program.ended, 4);
  await hanging;
});

class Program {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** Its exit code, when neither it nor any worker is there any more: all write to the same place. */
  readonly ended: Promise<number | null>;
  stdout = '';
  stderr = '';

  constructor(args: readonly number[]) {
    this.child = spawn(process.execPath, [programFile, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.ended = once(this.child, 'close').then(([code]) => code);
    this.child.stdout.setEncoding('utf8').on('data', text => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', text => {
      this.stderr += text;
    });
  }

  get url(): string {
    return /listens on (\S+)/.exec(this.stderr)?.[1] ?? '';
  }

  /** So many different workers that answer, but for one: their shares of the threads, by their process ids. */
  async workers(count: number, without?: number): Promise<Map<number, number>> {
    while (this.url === '') await once(this.child.stderr, 'data');
    const found = new Map<number, number>();
    while (found.size < count) {
      // Each on a connection of its own, because connections are what is divided. One that was just being handed to a
      // worker as it died hears nothing.
      const options = { headers: { connection: 'close' }, signal: AbortSignal.timeout(500) };
      const answer = (await fetch(this.url, options)
        .then(response => response.json())
        .catch(() => undefined)) as { pid: number; threads: number } | undefined;
      if (answer && answer.pid !== without) found.set(answer.pid, answer.threads);
    }
    return found;
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return await this.ended;
  }
}

function start(t: TestContext, count: number, starts = 1000): Program {
  const program = new Program([count, starts]);
  t.after(async () => {
    if (program.child.exitCode === null && program.child.signalCode === null) await program.stop('SIGKILL');
  });
  return program;
}
