import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseUnavailable } from '../errors.ts';
import { isBusy } from './failures.ts';

export interface World {
  readonly now: () => Date;
  readonly monotonic: () => number;
  readonly random: () => number;
}

/** The real one, but for what is given. */
export function worldWith({ now, monotonic, random }: Partial<World> = {}): World {
  return {
    now: now ?? (() => new Date()),
    monotonic: monotonic ?? (() => performance.now()),
    random: random ?? Math.random,
  };
}

/** Milliseconds that one caller waits for a file that somebody else has locked. */
export const patience = 2000;

/**
 * Tries until the file is free or `deadline` (monotonic milliseconds) has passed. SQLite's own busy timeout would sleep
 * in the event loop, and wait in vain for another transaction of the same process.
 */
export async function untilFree<T>(work: () => T, deadline: number, world: World): Promise<Awaited<T>> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (world.monotonic() >= deadline) {
        throw new DatabaseUnavailable('somebody else keeps the database locked', { cause: error });
      }
      await delay(Math.min(2 ** attempt, 16) * (0.5 + world.random()));
    }
  }
}
