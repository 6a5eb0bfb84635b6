import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { suite, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { EngineClosed, EngineFailed } from '../../src/bcrypt/index.ts';
import { Scheduler, type SchedulerOptions } from '../../src/bcrypt/scheduler.ts';
import type { StartThread, Thread } from '../../src/bcrypt/thread.ts';
import { workerThreads } from '../../src/bcrypt/worker.ts';
import { encode } from './modular.ts';

/** "U*U" at cost 5, from crypt_blowfish. */
const work = { password: Buffer.from('U*U'), salt: Buffer.alloc(16, 0x10), cost: 5 };
work.salt.set(Buffer.from('10410410410410410410410410410410', 'hex'));
const DIGEST = 'E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';

/** Real worker threads, which the test gets to hold, and what they were given. */
async function engineWithThreads(t: TestContext, options: Partial<SchedulerOptions> = {}) {
  const startWorker = await workerThreads(2);
  const threads: Thread[] = [];
  const inputs: Uint8Array[] = [];
  const startThread: StartThread = events => {
    const thread = startWorker(events);
    const { join } = thread;
    thread.join = (id, input, cost) => {
      inputs.push(input);
      join(id, input, cost);
    };
    threads.push(thread);
    return thread;
  };
  const defaults = {
    description: '',
    threads: 1,
    lanes: 2,
    maxWait: Number.POSITIVE_INFINITY,
    closeWithin: 1,
    idleAfter: 1000,
    now: () => 0,
  };
  const engine = new Scheduler({ ...defaults, startThread, ...options });
  t.after(() => engine.close());
  return { engine, threads, inputs };
}

suite('worker threads', () => {
  test('one that is killed is replaced, and its jobs are computed all the same', async t => {
    const { engine, threads } = await engineWithThreads(t);
    const first = engine.digest(work);
    await first;
    const answers = [
      engine.digest({ ...work, cost: 12 }),
      engine.digest({ ...work, cost: 12 }),
      engine.digest(work),
    ];
    await threads[0]?.end();
    assert.equal(encode((await answers[2]) ?? assert.fail()), DIGEST);
    const [a, b] = await Promise.all(answers);
    assert.deepEqual(a, b);
    assert.equal(threads.length, 2);
  });

  test('killed twice: EngineFailed', async t => {
    const { engine, threads } = await engineWithThreads(t);
    const endless = engine.digest({ ...work, cost: 31 });
    endless.catch(() => {});
    for (const victim of [0, 1]) {
      // Something else computed beside it says that the endless one is in a lane.
      await engine.digest(work);
      await threads[victim]?.end();
    }
    await assert.rejects(endless, EngineFailed);
    assert.equal(encode(await engine.digest(work)), DIGEST);
  });

  test('a cancelled job leaves its lane to others', async t => {
    const { engine } = await engineWithThreads(t);
    await engine.digest(work); // the thread is ready, so that these go into its two lanes at once
    const controllers = [new AbortController(), new AbortController()];
    const endless = controllers.map(({ signal }) =>
      assert.rejects(engine.digest({ ...work, cost: 31, signal }), { name: 'AbortError' }),
    );
    const next = engine.digest(work);
    setImmediate(() => {
      for (const controller of controllers) controller.abort();
    });
    await Promise.all(endless);
    assert.equal(encode(await next), DIGEST);
  });

  test('get the password moved, not copied', async t => {
    const { engine, inputs } = await engineWithThreads(t);
    await engine.digest(work);
    assert.equal(inputs.length, 1);
    assert.equal(inputs[0]?.buffer.byteLength, 0);
  });

  test('close() ends them however long their work would last', async t => {
    const { engine } = await engineWithThreads(t);
    await engine.digest(work);
    const answers = [31, 31, 31].map(cost => engine.digest({ ...work, cost }));
    const refused = answers.map(answer => assert.rejects(answer, EngineClosed));
    await engine.close();
    await Promise.all(refused);
  });
});

suite('the process', () => {
  const run = promisify(execFile);
  const index = new URL('../../src/bcrypt/index.ts', import.meta.url);
  const program = (then: string, before = '') => `
    const { createBcryptEngine } = await import(${JSON.stringify(index)});
    ${before}
    const engine = await createBcryptEngine({ log: console.log });
    const work = { password: Buffer.from('U*U'), salt: Buffer.from('10410410410410410410410410410410', 'hex'), cost: 5 };
    ${then}
  `;
  const node = (code: string, ...flags: string[]) =>
    run(process.execPath, [...flags, '--no-warnings', '--input-type=module', '--eval', code], {
      timeout: 30_000,
    });
  const compute = `engine.digest(work).then(digest => console.log(engine.description, digest.length));`;

  test('ends when there is no work, the engine still open', async () => {
    const { stdout } = await node(program(compute));
    assert.match(stdout, /^WebAssembly, \d+ lanes x \d+ threads 23\n$/);
  });

  test('without worker threads: the fallback, and one line that says why', async () => {
    const flags = ['--permission', '--allow-fs-read=*', '--allow-addons'];
    const { stdout } = await node(program(compute), ...flags);
    const [line, answer, ...more] = stdout.trimEnd().split('\n');
    assert.match(line ?? '', /^hashing falls back to @node-rs\/bcrypt: .*--allow-worker/);
    assert.match(answer ?? '', /^@node-rs\/bcrypt, \d threads 23$/);
    assert.deepEqual(more, []);
  });

  test('without WebAssembly: the fallback too', async () => {
    const { stdout } = await node(program(compute, 'delete globalThis.WebAssembly;'));
    assert.match(stdout, /^hashing falls back to .*WebAssembly.*\n@node-rs\/bcrypt, \d threads 23\n$/);
  });
});
