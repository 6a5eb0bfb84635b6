import { add, and, type Code, get, i32, load, set, shiftLeft, shiftRight, xor } from './wasm.ts';

/** Blowfish's state, in bytes: the P array (18 words) and the four S boxes (256 words each), as in the digits of pi. */
export const P = 0;
export const P_BYTES = 4 * 18;
const S = P + P_BYTES;
const S_BYTES = 4 * 256;
export const STATE_BYTES = S + 4 * S_BYTES;

/** Where a lane's block is (an address known here plus one known at run time) and its locals for the two halves. */
export interface Lane {
  readonly offset: number;
  readonly address: Code;
  readonly left: number;
  readonly right: number;
}

/**
 * One Blowfish encryption in every lane. Two rounds do not swap the halves but exchange their roles. A subkey is mixed in
 * a round early, beside the look-ups, so that the next look-ups wait for one operation less.
 */
export function encrypt(lanes: readonly Lane[]): Code {
  const subkey = ({ offset, address }: Lane, index: number) => load(address, offset + P + 4 * index);
  const code: Code[] = lanes.map(lane => set(lane.left, xor(get(lane.left), subkey(lane, 0))));
  for (let round = 1; round <= 16; round++) {
    for (const lane of lanes) {
      const [from, to] = round % 2 === 1 ? [lane.left, lane.right] : [lane.right, lane.left];
      code.push(set(to, xor(xor(get(to), subkey(lane, round)), f(lane, get(from)))));
    }
  }
  for (const lane of lanes) {
    // The new left half waits on the stack while the old one becomes the right half.
    code.push(set(lane.left, [xor(get(lane.right), subkey(lane, 17)), set(lane.right, get(lane.left))]));
  }
  return code;
}

/** Schneier's F: ((S0[a] + S1[b]) xor S2[c]) + S3[d], where abcd are the bytes of `half`. */
function f({ offset, address }: Lane, half: Code): Code {
  const box = (number: number, index: Code) =>
    load(add(address, and(index, i32(4 * 255))), offset + S + number * S_BYTES);
  const a = box(0, shiftRight(half, 22));
  const b = box(1, shiftRight(half, 14));
  const c = box(2, shiftRight(half, 6));
  const d = box(3, shiftLeft(half, 2));
  return add(xor(add(a, b), c), d);
}
