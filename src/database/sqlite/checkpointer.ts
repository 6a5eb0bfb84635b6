import { once } from 'node:events';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { CheckpointRequest, CheckpointResult } from './checkpoint-worker.ts';
import type { Mutex } from './mutex.ts';
import type { WalSync } from './wal-sync.ts';

/**
 * Copies the write-ahead log back into the database before it grows large, in a thread of its own, because that waits
 * for the disk. The thread begins with the first need and ends when there was none for a while.
 */
export class Checkpointer {
  readonly #path: string;
  readonly #mutex: Mutex;
  readonly #disk: WalSync;
  readonly #progress: StatementSync;
  #left = 0;
  #running: Promise<void> | undefined;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(path: string, writer: DatabaseSync, mutex: Mutex, disk: WalSync) {
    this.#path = path;
    this.#mutex = mutex;
    this.#disk = disk;
    this.#progress = writer.prepare('pragma wal_checkpoint(noop)');
    // Should the thread fail or be too slow, the commit that passes this bound does the work itself.
    writer.exec(`pragma wal_autocheckpoint = ${mostFrames}`);
    // A program that reads for long keeps the log from starting anew, and it grows; when it does start, it is cut down.
    writer.exec(`pragma journal_size_limit = ${mostFrames * 4096}`);
  }

  /** For just after a commit, while no transaction is open. */
  consider(): void {
    if (this.#running || this.#disk.failed) return;
    const { log, uncopied } = this.#seen();
    // Another process may have copied what was left.
    this.#left = Math.min(this.#left, uncopied);
    // Of a log that somebody keeps from starting anew, ever more at a time: otherwise writers would wait again and again.
    if (uncopied - this.#left < Math.max(manyFrames, log / 16)) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#end();
  }

  #seen(): { log: number; uncopied: number } {
    const { log, checkpointed } = this.#progress.get() ?? {};
    return { log: Number(log), uncopied: Number(log) - Number(checkpointed) };
  }

  /**
   * Most of it while writers go on, the rest while they wait: then nothing is left and the log starts anew. A log that
   * has grown, because other processes read or write at that moment, is worth a wait for them.
   */
  async #run(): Promise<void> {
    clearTimeout(this.#idle);
    this.#left = await this.#checkpoint({ wait: 0 });
    const unlock = await this.#mutex.lock();
    try {
      const { log } = this.#seen();
      const wait = log < longFrames ? 0 : Math.min(Math.ceil(log / 32), longestWait);
      this.#left = await this.#checkpoint({ wait });
    } finally {
      unlock();
    }
    this.#idle = setTimeout(() => void this.#end(), idleAfter).unref();
  }

  async #checkpoint(request: CheckpointRequest): Promise<number> {
    if (this.#disk.failed) return this.#left;
    // Flags of this process, such as those of `node -e`, can keep a thread from starting; it needs none.
    const options = { workerData: this.#path, execArgv: [] };
    this.#worker ??= new Worker(new URL('checkpoint-worker.ts', import.meta.url), options);
    const result = await answer(this.#worker, request);
    if ('left' in result) return result.left;
    // Nothing is lost: the log has it all, and the next need tries again.
    if (result.syncFailed) this.#disk.fail(new Error(result.failed));
    if (result.died) this.#worker = undefined;
    return this.#left;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    if (!worker) return;
    this.#worker = undefined;
    worker.postMessage(null);
    await once(worker, 'exit').catch(() => {});
  }
}

async function answer(worker: Worker, request: CheckpointRequest): Promise<CheckpointResult> {
  const { promise, resolve } = Promise.withResolvers<CheckpointResult>();
  const died = () => resolve({ failed: 'the thread ended', syncFailed: false, died: true });
  worker.once('message', resolve).once('error', died).once('exit', died);
  worker.postMessage(request);
  const result = await promise;
  worker.off('error', died).off('exit', died);
  return result;
}

/** 4 MiB of pages: copied in about ten milliseconds, and little for a start after a crash to read. */
const manyFrames = 1000;
/** 8 MiB of pages, from where on it is waited for other processes: 63 ms, and longer the longer the log is. */
const longFrames = 2000;
/** Milliseconds: much less than a writer's patience, since the writers of all processes wait meanwhile. */
const longestWait = 250;
/** 64 MiB of pages. */
const mostFrames = 16_000;
const idleAfter = 10_000;
