import { AsyncLocalStorage } from 'node:async_hooks';
import { DatabaseUnavailable } from '../errors.ts';

interface Options {
  /** Milliseconds for which one request waits for the database in all. */
  readonly limit: number;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonic: () => number;
}

/** Whoever waits for something that is shared, for as long as they may. */
export interface Asker {
  readonly gone: boolean;
}

/** The time that each request has for the database, however often it asks. What is no part of a request has all the time. */
export class Budgets {
  readonly #options: Options;
  readonly #current = new AsyncLocalStorage<Budget>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Runs `work` in a new one. */
  open(work: () => void): void {
    this.#current.run(new Budget(this.#options), work);
  }

  /**
   * Charges the wait for `work` to whoever asks, and tells it how many milliseconds are left. Rejects with
   * `DatabaseUnavailable`, before it, where none are.
   */
  async spend<T>(work: (left: number) => Promise<T>): Promise<T> {
    const budget = this.#current.getStore();
    if (!budget) return await work(Number.POSITIVE_INFINITY);
    const left = budget.begin();
    try {
      if (left <= 0) throw spent();
      return await work(left);
    } finally {
      budget.end();
    }
  }

  /** Waits within the budget of whoever asks for something that is in nobody's, see `apart`. Tells `work` when they have gone. */
  share<T>(work: (asker: Asker) => Promise<T>): Promise<T> {
    const budget = this.#current.getStore();
    const asker = { gone: false };
    if (!budget) return work(asker);
    const left = budget.begin();
    const leave = (): void => {
      asker.gone = true;
    };
    const waited = left > 0 ? inTime(work(asker), left, leave) : Promise.reject<T>(spent());
    const end = (): void => budget.end();
    waited.then(end, end);
    return waited;
  }

  /** Runs `work` in nobody's budget. */
  apart<T>(work: () => T): T {
    return this.#current.exit(work);
  }
}

/** Waits at the same time are charged once. */
class Budget {
  readonly #monotonic: () => number;
  #left: number;
  #waits = 0;
  #since = 0;

  constructor({ limit, monotonic }: Options) {
    this.#left = limit;
    this.#monotonic = monotonic;
  }

  /** What is left at the beginning of this wait. */
  begin(): number {
    const now = this.#monotonic();
    if (this.#waits++ === 0) this.#since = now;
    return this.#left - (now - this.#since);
  }

  end(): void {
    if (--this.#waits === 0) this.#left -= this.#monotonic() - this.#since;
  }
}

function spent(): Error {
  return new DatabaseUnavailable('this request has waited for the database for long enough');
}

/** Rejects after so many milliseconds, and calls `onLate` before, whatever becomes of `work`. */
export function inTime<T>(
  work: Promise<T>,
  limit: number,
  onLate: (error: Error) => void = () => undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new DatabaseUnavailable('the database did not answer in time');
      onLate(error);
      reject(error);
    }, limit);
    work.then(
      value => {
        clearTimeout(timer);
        resolve(value);
      },
      error => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
