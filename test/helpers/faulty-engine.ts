import type { BcryptEngine } from '../../src/bcrypt/engine.ts';

/** A hashing engine that fails where a test says so. */
export interface FaultyEngine extends BcryptEngine {
  /** The digest with this number, from 1, rejects with what `failure` makes; the count begins anew. 0: none does. */
  failAt(digest: number, failure: () => unknown): void;
  /** Digests since then. */
  readonly digests: () => number;
}

export function faultyEngine(engine: BcryptEngine): FaultyEngine {
  let count = 0;
  let fatal = 0;
  let failure: () => unknown = () => undefined;
  return {
    description: engine.description,
    async digest(work) {
      count++;
      if (count === fatal) throw failure();
      return await engine.digest(work);
    },
    close: () => engine.close(),
    failAt(number, made) {
      count = 0;
      fatal = number;
      failure = made;
    },
    digests: () => count,
  };
}
