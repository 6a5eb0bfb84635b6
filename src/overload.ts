import { type Problem, unavailable } from './errors.ts';
import type { RecordEvent } from './events.ts';

/** How far behind this process is. */
export interface Strain {
  /** By which the event loop comes too late, in milliseconds, on average since it was asked last. */
  readonly delay: number;
  /** The part of the memory that may be used that is, from 0 to 1. */
  readonly memory: number;
}

export interface Gauge {
  /** Undefined where nothing has been measured since the last reading. */
  read(): Strain | undefined;
  stop(): void;
}

interface ShedderOptions {
  readonly gauge: Gauge;
  /** Milliseconds by which the event loop may be late. */
  readonly maxDelay: number;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonic: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Told when requests begin to be shed, and why; and when no more are, and how many there were. */
  readonly record: RecordEvent;
}

/** Milliseconds between readings. */
const interval = 100;
/** The part of the memory from which the first are shed, and for each of the three more. */
export const memoryFrom = 0.85;
const memoryStep = 0.05;

/**
 * Gives up requests in order of importance while the process is behind. Three classes can be shed, 0 first. The
 * pressure says how many are: at 1.4 all of class 0 and four in ten of class 1.
 *
 * It rises while the event loop is later than it may be, twice that for class 1 and four times for class 2, faster the
 * later it is; it falls by one in a second once the delay is half of that, and stays between. It begins at -1, so that
 * a single pause, however long, sheds nothing. Memory counts by itself: its pressure is what it is now.
 * How busy the event loop is says nothing here: it is busy all the time at full load, and on time.
 */
export class Shedder {
  readonly #options: ShedderOptions;
  readonly #refusals: readonly Problem[];
  #pressure = -1;
  #level = 0;
  #readAt: number;
  #shed = 0;

  constructor(options: ShedderOptions) {
    this.#options = options;
    this.#readAt = options.monotonic();
    // Made once: a request that is shed is to cost nothing. Those who come again do not all come at once.
    this.#refusals = [1, 2, 3, 4, 5].map(seconds => unavailable('overloaded', seconds));
  }

  /** Why a request of this class is not served now, if it is not. */
  refusal(importance: number): Problem | undefined {
    const { monotonic, random } = this.#options;
    const now = monotonic();
    if (now - this.#readAt >= interval) this.#read(now);
    const part = this.#level - importance;
    if (part <= 0 || (part < 1 && random() >= part)) return undefined;
    this.#shed++;
    return this.#refusals[Math.floor(random() * this.#refusals.length)];
  }

  #read(now: number): void {
    const { gauge, record } = this.#options;
    const strain = gauge.read();
    if (!strain) return;
    this.#pressure = this.#next(strain.delay, (now - this.#readAt) / 1000);
    this.#readAt = now;
    const before = this.#level;
    this.#level = Math.max(0, this.#pressure, (strain.memory - memoryFrom) / memoryStep);
    if (before === 0 && this.#level > 0) record('shedding_started', { ...strain });
    if (before > 0 && this.#level === 0) {
      record('shedding_ended', { shed: this.#shed });
      this.#shed = 0;
    }
  }

  #next(delay: number, seconds: number): number {
    const current = Math.min(2, Math.max(0, Math.floor(this.#pressure)));
    const allowed = this.#options.maxDelay * 2 ** current;
    if (delay > allowed)
      return Math.min(3, this.#pressure + Math.min(seconds, 0.25) * Math.min(delay / allowed - 1, 4));
    return delay > allowed / 2 ? this.#pressure : Math.max(-1, this.#pressure - seconds);
  }
}
