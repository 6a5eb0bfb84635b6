/** Milliseconds of serving after which a worker counts as one that works. */
export const settledAfter = 10_000;
/** Milliseconds before the first attempt; each one in a row waits twice as long, up to the longest. */
const firstDelay = 100;
const longestDelay = 5000;
/** Early deaths in a row, of all workers together, after which it is given up. */
const maxEarlyDeaths = 10;

/** Decides when another worker takes the place of one that ended. */
export class Restarts {
  #earlyDeaths = 0;

  /**
   * The delay in milliseconds; undefined when there is no use in trying: workers die early again and again, and none of
   * the others has proved that it works. `served`: for how long it did, 0 where it never began. `othersSettled`: whether
   * any of the others has been serving for `settledAfter`.
   */
  afterDeath(served: number, othersSettled: boolean): number | undefined {
    this.#earlyDeaths = served >= settledAfter ? 1 : this.#earlyDeaths + 1;
    if (this.#earlyDeaths >= maxEarlyDeaths && !othersSettled) return undefined;
    return Math.min(firstDelay * 2 ** (this.#earlyDeaths - 1), longestDelay);
  }
}

/** `total` divided as evenly as can be among `count`, at least one for each. */
export function shares(total: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    Math.max(1, Math.floor(total / count) + (index < total % count ? 1 : 0)),
  );
}
