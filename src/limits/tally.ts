/** What one key of a limit is allowed. */
export interface Policy {
  /** As the RateLimit fields call it: ASCII letters and hyphens. */
  readonly name: string;
  /** So many within the window; 0 is no limit. */
  readonly limit: number;
  /** Whether each one past the limit doubles the wait for the next. Otherwise the window has to move on. */
  readonly doubles: boolean;
}

/** What has been counted for one key. Times are milliseconds of the wall clock, which all nodes share. */
export interface Tally {
  /** When those were that may still count, the oldest first; never more than the limit. */
  readonly times: readonly number[];
  /** How many in a row reached the limit or came after it; the wait follows from it. */
  readonly strikes: number;
}

export const nothing: Tally = { times: [], strikes: 0 };

/** Milliseconds within which a limit counts. No wait is longer. */
export const window = 15 * 60_000;
/** Milliseconds. */
const firstWait = 60_000;

/**
 * As it counts now. What is old enough is forgotten: the last wait is over, and the window after it too. What seems to
 * lie ahead, because a clock was set back, is taken to be of now: the wait begins again, once, and does not last until
 * the clock is there again.
 */
export function current({ times, strikes }: Tally, now: number): Tally {
  const last = times.at(-1);
  if (last === undefined || now >= Math.min(last, now) + waitAfter(strikes) + window) return nothing;
  return { times: times.map(time => Math.min(time, now)), strikes };
}

/** Whether a tally has to be stored as `current` has it, lest it is of now for ever. */
export function isAhead({ times }: Tally, now: number): boolean {
  return (times.at(-1) ?? now) > now;
}

/** Milliseconds until one more is allowed, 0 for none; of a current tally. */
export function waitOf({ times, strikes }: Tally, { limit, doubles }: Policy, now: number): number {
  const within = recent(times, now);
  const isFull = within.length >= limit;
  if (!doubles) return isFull ? (within.at(-limit) ?? now) + window - now : 0;
  // A limit that was lowered meanwhile may be reached without a strike.
  const wait = waitAfter(Math.max(strikes, isFull ? 1 : 0));
  return Math.max(0, (times.at(-1) ?? now) + wait - now);
}

/** With one more. */
export function counted(tally: Tally, { limit, doubles }: Policy, now: number): Tally {
  const times = [...tally.times, now].slice(-limit);
  const strikes = tally.strikes > 0 || recent(times, now).length >= limit ? tally.strikes + 1 : 0;
  return { times, strikes: doubles ? strikes : 0 };
}

/** Without the one that was counted at this time, and the strike that it was. */
export function without(tally: Tally, at: number, { limit }: Policy, now: number): Tally {
  const index = tally.times.lastIndexOf(at);
  const times = tally.times.toSpliced(index, 1);
  const isFull = recent(times, now).length >= limit;
  return { times, strikes: isFull ? tally.strikes : Math.max(0, tally.strikes - 1) };
}

/** From when on nothing of it counts, in milliseconds. */
export function endOf({ times, strikes }: Tally): number {
  return (times.at(-1) ?? 0) + waitAfter(strikes) + window;
}

function waitAfter(strikes: number): number {
  return strikes === 0 ? 0 : Math.min(window, firstWait * 2 ** (strikes - 1));
}

function recent(times: readonly number[], now: number): readonly number[] {
  return times.filter(time => time > now - window);
}
