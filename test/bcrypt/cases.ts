import { hash } from '@node-rs/bcrypt';
import { parse } from './modular.ts';

export interface Case {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly cost: number;
}

/** A repeatable stream of numbers from 0 up to, not including, `below` (at most 2^32). */
export type Random = (below: number) => number;

/** splitmix32 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return below => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return Math.floor((((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32) * below);
  };
}

/** Passwords of all byte values and lengths, the extremes more often; costs 4 to 6, the cheap ones more often. */
export function randomCase(random: Random): Case {
  const lengths = [0, 1, 71, 72, random(73), random(73), random(73), random(73)];
  const length = lengths[random(lengths.length)] ?? 0;
  const low = [0, 0, 0, 0x20, 0x80][random(5)] ?? 0;
  const span = [1, 2, 256, 256, 256][random(5)] ?? 256;
  const password = Uint8Array.from({ length }, () => (low + random(span)) & 0xff);
  const salt = Uint8Array.from({ length: 16 }, () => random(256));
  return { password, salt, cost: [4, 4, 4, 4, 5, 6][random(6)] ?? 4 };
}

/** The part of the hash after the salt, as an independent library computes it. It takes NUL like any other byte. */
export async function oracle({ password, salt, cost }: Case): Promise<string> {
  return parse(await hash(password, cost, Buffer.from(salt))).digest;
}
