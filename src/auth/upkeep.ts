import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../clock.ts';
import { addSeconds } from '../clock.ts';
import type { Database } from '../database.ts';
import { deleteExpiredEntries } from '../limits/models.ts';
import { deleteExpiredSessions, touchSessions } from './session-models.ts';

/** Work on sessions and limits that nobody waits for. */
export interface Upkeep {
  /** Notes that a session is in use; written at most once a minute for each, many together. */
  noteUse(session: { readonly id: string; readonly last_used_at: Date }): void;
  /** Deletes what is over, a bounded batch at a time; how many rows that were. */
  sweep(): Promise<number>;
  /** Lets what was begun finish and begins nothing more. */
  stop(): Promise<void>;
}

interface UpkeepOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly onFailure: (cause: unknown) => void;
}

/** Seconds for which a note of use is good enough. */
const useInterval = 60;
/** Milliseconds from the end of a sweep to the next. */
const sweepInterval = 60_000;
const batch = 500;
/** Batches of one sweep, of each kind; what is left waits for the next one. */
const maxBatches = 20;
/** The same where something is left: a flood from many sources may leave more than a sweep takes. */
const sweepPause = 1000;

/** The timer of the sweeps does not keep the process alive. */
export function startUpkeep({ database, clock, onFailure }: UpkeepOptions): Upkeep {
  const used = new Set<string>();
  let writing: Promise<void> | undefined;
  let sweeping: Promise<unknown> | undefined;
  let isBehind = false;
  let stopped = false;

  async function writeUses(): Promise<void> {
    // Whatever arrives in this turn of the event loop goes with it.
    await new Promise(setImmediate);
    const ids = [...used].slice(0, batch);
    for (const id of ids) used.delete(id);
    try {
      const now = clock();
      // Another node may have seen the same old use and have written the new one by now.
      const before = addSeconds(now, -useInterval);
      await database.statement(tx => touchSessions(tx, ids, now, before));
    } catch (error) {
      onFailure(error);
    }
    writing = used.size > 0 ? writeUses() : undefined;
  }

  /** Not in the budget of the request that was noted: it waits for nothing of it. */
  const write = AsyncLocalStorage.bind(writeUses);

  async function sweep(): Promise<number> {
    let total = 0;
    isBehind = false;
    for (const deleteExpired of [deleteExpiredSessions, deleteExpiredEntries]) {
      for (let i = 0; i < maxBatches && !stopped; i++) {
        const count = await database.statement(tx => deleteExpired(tx, clock(), batch));
        total += count;
        if (count < batch) break;
        if (i === maxBatches - 1) isBehind = true;
      }
    }
    return total;
  }

  let timer = setTimeout(sweepNow, sweepInterval).unref();

  function sweepNow(): void {
    sweeping = sweep()
      .catch(onFailure)
      .finally(() => {
        if (!stopped) timer = setTimeout(sweepNow, isBehind ? sweepPause : sweepInterval).unref();
      });
  }

  return {
    sweep,

    noteUse({ id, last_used_at }) {
      if (stopped || addSeconds(last_used_at, useInterval) > clock()) return;
      used.add(id);
      writing ??= write();
    },

    async stop() {
      stopped = true;
      clearTimeout(timer);
      while (writing) await writing;
      await sweeping;
    },
  };
}
