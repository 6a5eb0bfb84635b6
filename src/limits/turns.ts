/**
 * Attempts of this node that may be counted and are not yet decided, by what they are counted for. Where a limit is full of
 * these, the next one waits for its turn rather than being refused: they may all turn out to be right.
 */
export interface Turns {
  /** The function that is returned ends them; `isFree`: they were given back, so somebody else may go on. */
  begin(keys: readonly string[]): (isFree: boolean) => void;
  /** Resolves when it is worth to try again; undefined where nothing here is undecided. */
  next(key: string): Promise<void> | undefined;
  /** How often something was given back. Where that was while a limit was looked at, it was looked at too soon. */
  readonly givenBack: number;
}

export function createTurns(): Turns {
  let givenBack = 0;
  const undecided = new Map<string, { count: number; readonly waiting: (() => void)[] }>();

  return {
    get givenBack() {
      return givenBack;
    },

    begin(keys) {
      for (const key of keys) {
        const turn = undecided.get(key);
        if (turn) turn.count++;
        else undecided.set(key, { count: 1, waiting: [] });
      }
      return isFree => {
        if (isFree) givenBack++;
        for (const key of keys) end(key, isFree);
      };
    },

    next(key) {
      const turn = undecided.get(key);
      return turn && new Promise(resolve => turn.waiting.push(resolve));
    },
  };

  function end(key: string, isFree: boolean): void {
    const turn = undecided.get(key);
    if (!turn) return;
    turn.count--;
    if (turn.count === 0) undecided.delete(key);
    // The last one leaves nothing to wait for; before it, one that was given back makes room for one.
    const woken = turn.count === 0 ? turn.waiting.length : isFree ? 1 : 0;
    for (const wake of turn.waiting.splice(0, woken)) wake();
  }
}
