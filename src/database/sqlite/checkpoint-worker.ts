import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { isSyncFailure } from './failures.ts';

/**
 * What a checkpoint may take: with a `wait`, milliseconds, it keeps writers away for so long until nobody needs the log
 * any more and the next commit begins it anew; without, it copies what it can.
 */
export interface CheckpointRequest {
  readonly wait: number;
}

/** How a checkpoint went: frames of the log that are not copied back yet, or what failed. */
export type CheckpointResult =
  | { readonly left: number }
  | { readonly failed: string; readonly syncFailed: boolean; readonly died?: boolean };

// Each message asks for one checkpoint, `null` for the end.
const database = new DatabaseSync(workerData, { timeout: 0 });
database.exec('pragma synchronous = normal; pragma fullfsync = on; pragma checkpoint_fullfsync = on');

parentPort?.on('message', (request: CheckpointRequest | null) => {
  if (request === null) {
    database.close();
    parentPort?.close();
  } else {
    parentPort?.postMessage(checkpoint(request));
  }
});

function checkpoint({ wait }: CheckpointRequest): CheckpointResult {
  try {
    // One bound for all that is waited for: SQLite counts from the beginning of the checkpoint.
    database.exec(`pragma busy_timeout = ${wait}`);
    const mode = wait > 0 ? 'restart' : 'passive';
    const { log, checkpointed } = database.prepare(`pragma wal_checkpoint(${mode})`).get() ?? {};
    if (log === -1) return { failed: 'another process copies the log', syncFailed: false };
    return { left: Number(log) - Number(checkpointed) };
  } catch (error) {
    return { failed: String(error), syncFailed: isSyncFailure(error) };
  }
}
