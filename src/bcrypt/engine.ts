/**
 * What the rest of the program knows of bcrypt: one primitive. Formats, policies and comparison belong to
 * `users/security.ts`, the only caller.
 */
export interface BcryptEngine {
  /** For the start-up line, e.g. "WebAssembly, 4 lanes x 2 threads". */
  readonly description: string;

  /**
   * The 23 bytes that bcrypt ($2b$) makes of a password, a salt and a cost.
   *
   * `password`: 0 to 72 bytes without the terminating NUL, which is added here. It is copied before this
   * returns: the caller may overwrite it at once.
   * `salt`: 16 bytes. `cost`: 4 to 31, the binary logarithm of the number of rounds.
   * Rejects with `Overloaded` before any work when the expected wait is too long, with the signal's reason when
   * it is aborted, and with `EngineClosed` or `EngineFailed` when no thread could finish the work.
   */
  digest(work: BcryptWork): Promise<Uint8Array>;

  /**
   * Why `digest` would refuse work of this priority and flow at this moment; undefined where it would take it on. Left out
   * by an engine that takes everything on.
   */
  refusal?(work: Pick<BcryptWork, 'priority' | 'flow'>): Error | undefined;

  /** Finishes or refuses what is queued, in bounded time, then ends every thread. */
  close(): Promise<void>;
}

export interface BcryptWork {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly cost: number;
  /** 0 by default. */
  readonly priority?: Priority | undefined;
  /**
   * Whose work it is, by any name. Within a priority the flows that wait take turns, so that one of them alone has all
   * places, and two have half of them each. What names none is one flow, too.
   */
  readonly flow?: string | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Where both wait, nine of priority 0 go before each of priority 1. What waits longer than was expected of it, because it
 * was overtaken or the machine slowed down, is rejected with `Overloaded` too.
 */
export type Priority = 0 | 1;

/** The expected wait is longer than callers may be kept waiting; `retryAfter` is in whole seconds, at least 1. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
  /** None: nothing in the program is wrong, and there may be thousands of them in a second. */
  override readonly stack = '';
  readonly retryAfter: number;

  constructor(retryAfter: number) {
    super('the hashing queue is full');
    this.retryAfter = retryAfter;
  }
}

/** The engine is shutting down. */
export class EngineClosed extends Error {
  override readonly name = 'EngineClosed';
}

/** The threads that tried to compute the digest died. */
export class EngineFailed extends Error {
  override readonly name = 'EngineFailed';
}
