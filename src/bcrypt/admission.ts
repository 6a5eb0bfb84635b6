import { Overloaded } from './engine.ts';

/** What the queue knows of its own speed, and what follows for a newcomer. Times are in milliseconds. */
export class Admission {
  readonly #maxWait: number;
  #rate = 0;

  constructor(maxWait: number) {
    this.#maxWait = maxWait;
  }

  /** Rounds a millisecond of one thread with every place taken. Zero until one has been measured. */
  get rate(): number {
    return this.#rate;
  }

  /** Follows the last few measurements: other work on the machine comes and goes. */
  measured(rate: number): void {
    if (rate > 0) this.#rate = this.#rate === 0 ? rate : this.#rate + (rate - this.#rate) / 4;
  }

  /** Why work that has `ahead` rounds to wait for is refused, if it is. The time for those rounds is the expected wait. */
  refusal(ahead: number, threads: number): Overloaded | undefined {
    if (this.#rate === 0) return undefined;
    const excess = ahead / (this.#rate * threads) - this.#maxWait;
    return excess > 0 ? new Overloaded(Math.max(1, Math.ceil(excess / 1000))) : undefined;
  }
}
