import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { isSyncFailure } from './failures.ts';

/** How a checkpoint went: frames of the log that are not copied back yet, or what failed. */
export type CheckpointResult =
  | { readonly left: number }
  | { readonly failed: string; readonly syncFailed: boolean; readonly died?: boolean };

// Each message asks for one checkpoint, `null` for the end.
const database = new DatabaseSync(workerData, { timeout: 0 });
database.exec('pragma synchronous = normal; pragma fullfsync = on; pragma checkpoint_fullfsync = on');

parentPort?.on('message', request => {
  if (request === null) {
    database.close();
    parentPort?.close();
  } else {
    parentPort?.postMessage(checkpoint());
  }
});

function checkpoint(): CheckpointResult {
  try {
    const { log, checkpointed } = database.prepare('pragma wal_checkpoint(passive)').get() ?? {};
    return { left: Number(log) - Number(checkpointed) };
  } catch (error) {
    return { failed: String(error), syncFailed: isSyncFailure(error) };
  }
}
