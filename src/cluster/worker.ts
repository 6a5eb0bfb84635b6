import cluster from 'node:cluster';
import { isStop, type Serving } from './messages.ts';

/** Whether this process was started by a primary. */
export const isWorker = cluster.isWorker;

/**
 * Tells the primary that this worker serves, and calls `stop` when the primary says so. Where the primary dies, Node ends
 * the worker at once: nobody would give it connections.
 */
export function reportToPrimary(address: string, stop: (seconds: number) => void): void {
  process.on('message', message => {
    if (isStop(message)) stop(message.stop);
  });
  const serving: Serving = { address };
  process.send?.(serving);
}
