import type { TestContext } from 'node:test';
import type { BcryptEngine } from '../../src/bcrypt/engine.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';

/** A hashing engine whose results a test can hold back, so that something else happens between check and use. */
export interface GatedEngine extends BcryptEngine {
  /** The next so many digests are computed and held back, others pass. Resolves when all of these are held. */
  hold(count: number): Promise<void>;
  /** Lets all go that are held, at once. */
  release(): void;
}

export async function gatedEngine(t: TestContext): Promise<GatedEngine> {
  const engine = await createBcryptEngine({ threads: 1, log: () => undefined });
  t.after(() => engine.close());
  const gate = { left: 0, opened: Promise.withResolvers<void>(), held: Promise.withResolvers<void>() };
  return {
    description: engine.description,
    close: () => engine.close(),
    async digest(work) {
      const isHeld = gate.left > 0;
      if (isHeld) gate.left--;
      const isLast = isHeld && gate.left === 0;
      const digest = await engine.digest(work);
      if (isLast) gate.held.resolve();
      if (isHeld) await gate.opened.promise;
      return digest;
    },
    hold(count) {
      Object.assign(gate, { left: count, opened: Promise.withResolvers(), held: Promise.withResolvers() });
      return gate.held.promise;
    },
    release() {
      gate.opened.resolve();
    },
  };
}
