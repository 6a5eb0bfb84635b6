import { unavailable } from '../errors.ts';

/**
 * Attempts of this node that may be counted and are not yet decided, by what they are counted for. Where a limit is full of
 * these, the next one waits for its turn rather than being refused: they may all turn out to be right.
 */
export interface Turns {
  /** The function that is returned ends them; `isFree`: they were given back, so somebody else may go on. */
  begin(keys: readonly string[]): (isFree: boolean) => void;
  /**
   * Resolves when it is worth to try again; undefined where nothing here is undecided, and where too many wait already.
   * `since`: when the wait began, on the clock that never jumps. Rejects with `overloaded` where that was too long ago, and
   * with the reason of the signal.
   */
  next(key: string, since: number, signal?: AbortSignal): Promise<void> | undefined;
  /** How often something was given back. Where that was while a limit was looked at, it was looked at too soon. */
  readonly givenBack: number;
}

export interface TurnOptions {
  /** Milliseconds on a clock that never jumps. */
  readonly monotonic: () => number;
  /** Milliseconds. */
  readonly maxWait: number;
}

/** For one key. Whoever waits holds memory, and nobody has so many people at one account. */
const maxWaiting = 100;

interface Waiter {
  readonly since: number;
  readonly settle: (refusal?: Error) => void;
}

interface Turn {
  count: number;
  readonly waiting: Set<Waiter>;
}

export function createTurns({ monotonic, maxWait }: TurnOptions): Turns {
  let givenBack = 0;
  const undecided = new Map<string, Turn>();

  return {
    get givenBack() {
      return givenBack;
    },

    begin(keys) {
      for (const key of keys) {
        const turn = undecided.get(key);
        if (turn) turn.count++;
        else undecided.set(key, { count: 1, waiting: new Set() });
      }
      return isFree => {
        if (isFree) givenBack++;
        for (const key of keys) end(key, isFree);
      };
    },

    next(key, since, signal) {
      const turn = undecided.get(key);
      return turn && turn.waiting.size < maxWaiting ? wait(turn, since, signal) : undefined;
    },
  };

  function end(key: string, isFree: boolean): void {
    const turn = undecided.get(key);
    if (!turn) return;
    turn.count--;
    if (turn.count === 0) undecided.delete(key);
    const latest = monotonic() - maxWait;
    for (const { since, settle } of turn.waiting) if (since < latest) settle(unavailable('overloaded', 1));
    // The last one leaves nothing to wait for; before it, one that was given back makes room for one.
    const woken = turn.count === 0 ? turn.waiting.size : isFree ? 1 : 0;
    for (const { settle } of [...turn.waiting].slice(0, woken)) settle();
  }
}

async function wait({ waiting }: Turn, since: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const waiter: Waiter = {
    since,
    settle(refusal) {
      // At once: the next who is woken is to be somebody else.
      waiting.delete(waiter);
      if (refusal) reject(refusal);
      else resolve();
    },
  };
  const leave = (): void => waiter.settle(signal?.reason);
  waiting.add(waiter);
  signal?.addEventListener('abort', leave);
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', leave);
  }
}
