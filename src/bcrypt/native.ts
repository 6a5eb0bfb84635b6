import type { StartThread } from './thread.ts';

/**
 * The same work done by `@node-rs/bcrypt` on libuv's thread pool, where each "thread" is one computation at a time.
 * It is loaded when it is needed and not before.
 */
export async function nativeThreads(): Promise<StartThread> {
  const { hash } = await import('@node-rs/bcrypt');

  return ({ report, exited }) => {
    queueMicrotask(() => report({ finished: [], rate: TYPICAL_RATE }));
    return {
      async join(id, input, cost) {
        const start = performance.now();
        const salt = input.slice(0, 16);
        const password = input.slice(16);
        input.fill(0);
        try {
          const text = await hash(password, cost, Buffer.from(salt));
          const digest = decode(text.slice(-31));
          report({ finished: [{ id, digest }], rate: 2 ** cost / (performance.now() - start) });
        } catch (error) {
          exited(error);
        } finally {
          password.fill(0);
        }
      },
      drop() {}, // cannot be stopped, and reports its end like any other
      keepAlive() {}, // a computation does while it lasts, and nothing else
      async end() {},
    };
  };
}

/** Rounds a millisecond: some 60 ms at cost 10, as current cores do, until a real one has been timed. */
const TYPICAL_RATE = 1024 / 60;

/** bcrypt's Base64, which is the usual one with another alphabet. */
function decode(text: string): Uint8Array {
  const usual = text.replace(/./g, character => BASE64[BCRYPT.indexOf(character)] ?? '');
  return new Uint8Array(Buffer.from(usual, 'base64'));
}

const BCRYPT = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
