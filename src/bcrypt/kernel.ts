import { encrypt, type Lane, P, P_BYTES, STATE_BYTES } from './blowfish.ts';
import type { Layout } from './lanes.ts';
import {
  add,
  and,
  type Code,
  copyMemory,
  doWhile,
  encodeModule,
  get,
  i32,
  load,
  set,
  shiftLeft,
  store,
  sub,
  tee,
  type WasmFunction,
  xor,
} from './wasm.ts';

/**
 * bcrypt (Provos and Mazieres, 1999) for several passwords at once, as a WebAssembly module.
 *
 * A round of Blowfish (Schneier, 1993) waits for its own four table look-ups. The functions `run1` ... `runN` have one
 * round of lane 0 followed by the same round of lane 1 and so on, so that a core overlaps the waiting of all of them.
 *
 * Exports, where `lane` is the address of a lane's block and all words are 32 bits in the machine's order:
 * - `begin(lane)`: EksBlowfishSetup's ExpandKey(state, salt, key)
 * - `runN(count)`: `count` times ExpandKey(state, 0, key) and ExpandKey(state, 0, salt) on the first N lanes
 * - `end(lane)`: encrypts the text 64 times and leaves the six words of the result where the key was
 */
export function kernel(lanes: number, tables: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = Array.from({ length: lanes }, (_, index) => fixedLane(index));
  return encodeModule(
    Math.ceil((FIRST_LANE + lanes * LANE_BYTES) / 65536),
    [begin(), end(), ...all.map((_, index) => run(all.slice(0, index + 1)))],
    Buffer.concat([tables, Buffer.from('OrpheanBeholderScryDoubt')]).swap32(), // big-endian words
  );
}

/** A lane's block: the state, then key and salt, both repeated to the length of P. Bytes. */
const KEY = STATE_BYTES;
const SALT = KEY + P_BYTES;
const LANE_BYTES = SALT + P_BYTES;

/** Memory: the initial state, the text, the lanes. */
const TEXT = STATE_BYTES;
const FIRST_LANE = TEXT + 24;

export const layout: Layout = { firstLane: FIRST_LANE, laneBytes: LANE_BYTES, key: KEY, salt: SALT };

/** Locals: the parameter, the position in the state, which of key and salt is next, then two for each lane. */
const PARAMETER = 0;
const POSITION = 1;
const WHICH = 2;
const laneLocals = (index: number) => ({ left: 3 + 2 * index, right: 4 + 2 * index });

function fixedLane(index: number): Lane {
  return { offset: FIRST_LANE + index * LANE_BYTES, address: i32(0), ...laneLocals(index) };
}

const GIVEN_LANE: Lane = { offset: 0, address: get(PARAMETER), ...laneLocals(0) };

function run(lanes: readonly Lane[]): WasmFunction {
  const body = [
    set(PARAMETER, shiftLeft(get(PARAMETER), 1)),
    doWhile(
      [expandKey(lanes, get(WHICH)), set(WHICH, sub(i32(SALT - KEY), get(WHICH)))],
      tee(PARAMETER, sub(get(PARAMETER), i32(1))),
    ),
  ];
  return { name: `run${lanes.length}`, parameters: 1, locals: 2 + 2 * lanes.length, body };
}

function begin(): WasmFunction {
  const { address, left, right } = GIVEN_LANE;
  const turn = add(address, and(get(POSITION), i32(8))); // the first two words of salt, the next two, the first two ...
  const mixSalt = [
    set(left, xor(get(left), load(turn, SALT))),
    set(right, xor(get(right), load(turn, SALT + 4))),
  ];
  const body = [copyMemory(address, i32(0), i32(STATE_BYTES)), expandKey([GIVEN_LANE], i32(0), mixSalt)];
  return { name: 'begin', parameters: 1, locals: 4, body };
}

function end(): WasmFunction {
  const { address, left, right } = GIVEN_LANE;
  const block = (position: number) => [
    set(left, load(i32(0), TEXT + position)),
    set(right, load(i32(0), TEXT + position + 4)),
    set(POSITION, i32(64)),
    doWhile(encrypt([GIVEN_LANE]), tee(POSITION, sub(get(POSITION), i32(1)))),
    store(address, KEY + position, get(left)),
    store(address, KEY + position + 4, get(right)),
  ];
  return { name: 'end', parameters: 1, locals: 4, body: [block(0), block(8), block(16)] };
}

/** XORs key (`which` is 0) or salt (SALT - KEY) into P, then replaces P and S, two words at a time, by a chain of encryptions. */
function expandKey(lanes: readonly Lane[], which: Code, beforeEach: Code = []): Code {
  const words = Array.from({ length: 18 }, (_, word) => 4 * word);
  const mixIn = lanes.map(({ offset, address }) =>
    words.map(word => {
      const subkey = load(address, offset + P + word);
      return store(address, offset + P + word, xor(subkey, load(add(address, which), offset + KEY + word)));
    }),
  );
  const clear = lanes.map(({ left, right }) => [set(left, i32(0)), set(right, i32(0))]);
  const keep = lanes.map(({ offset, address, left, right }) => {
    const to = add(address, get(POSITION));
    return [store(to, offset, get(left)), store(to, offset + 4, get(right))];
  });
  const left = sub(tee(POSITION, add(get(POSITION), i32(8))), i32(STATE_BYTES));
  return [mixIn, clear, set(POSITION, i32(0)), doWhile([beforeEach, encrypt(lanes), keep], left)];
}
