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
  /** For the time in which the limits of these keys are looked at. */
  watch(keys: readonly string[]): Watch;
}

export interface Watch extends Disposable {
  /** Whether something of the keys was given back meanwhile: then they were looked at too soon. */
  readonly isLate: boolean;
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

/** Of one key, for as long as something of it is undecided or watched. */
interface Turn {
  readonly key: string;
  undecided: number;
  watched: number;
  /** How often something of it was given back. */
  givenBack: number;
  readonly waiting: Set<Waiter>;
}

/** `all`: where they are kept, by key. */
export function createTurns({ monotonic, maxWait }: TurnOptions, all = new Map<string, Turn>()): Turns {
  return {
    begin(keys) {
      const turns = keys.map(turnOf);
      for (const turn of turns) turn.undecided++;
      return isFree => {
        for (const turn of turns) end(turn, isFree);
      };
    },

    next(key, since, signal) {
      const turn = all.get(key);
      if (!turn || turn.undecided === 0 || turn.waiting.size >= maxWaiting) return undefined;
      return wait(turn, since, signal);
    },

    watch(keys) {
      const watched = keys.map(turnOf).map(turn => ({ turn, before: turn.givenBack }));
      for (const { turn } of watched) turn.watched++;
      return {
        get isLate() {
          return watched.some(({ turn, before }) => turn.givenBack > before);
        },
        [Symbol.dispose]() {
          for (const { turn } of watched) {
            turn.watched--;
            forget(turn);
          }
        },
      };
    },
  };

  function turnOf(key: string): Turn {
    const turn = all.get(key) ?? { key, undecided: 0, watched: 0, givenBack: 0, waiting: new Set() };
    all.set(key, turn);
    return turn;
  }

  function forget({ key, undecided, watched }: Turn): void {
    if (undecided + watched === 0) all.delete(key);
  }

  function end(turn: Turn, isFree: boolean): void {
    turn.undecided--;
    if (isFree) turn.givenBack++;
    forget(turn);
    const latest = monotonic() - maxWait;
    for (const { since, settle } of turn.waiting) if (since < latest) settle(unavailable('overloaded', 1));
    // The last one leaves nothing to wait for; before it, one that was given back makes room for one.
    const woken = turn.undecided === 0 ? turn.waiting.size : isFree ? 1 : 0;
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
