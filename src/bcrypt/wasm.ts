/**
 * As much of the WebAssembly binary format (core specification 2.0, chapter 5) as the kernel needs. Code is a tree of
 * byte values; an operand's code comes before its operator's, which these functions hide: `add(get(0), i32(4))`.
 */
export type Code = readonly (number | Code)[];

export const get = (local: number): Code => [0x20, unsigned(local)];
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)];
/** Sets a local and leaves the value on the stack. */
export const tee = (local: number, value: Code): Code => [value, 0x22, unsigned(local)];
export const i32 = (value: number): Code => [0x41, signed(value)];

/** The word at `address + offset`, both in bytes; their sum is a multiple of four. */
export const load = (address: Code, offset: number): Code => [address, 0x28, 2, unsigned(offset)];
export const store = (address: Code, offset: number, value: Code): Code => [
  ...[address, value],
  ...[0x36, 2, unsigned(offset)],
];
export const copyMemory = (to: Code, from: Code, length: Code): Code => [to, from, length, 0xfc, 10, 0, 0];

export const add = (a: Code, b: Code): Code => [a, b, 0x6a];
export const sub = (a: Code, b: Code): Code => [a, b, 0x6b];
export const and = (a: Code, b: Code): Code => [a, b, 0x71];
export const xor = (a: Code, b: Code): Code => [a, b, 0x73];
export const shiftLeft = (a: Code, bits: number): Code => [a, i32(bits), 0x74];
export const shiftRight = (a: Code, bits: number): Code => [a, i32(bits), 0x76]; // unsigned

/** Runs `body`, and again while `condition`, evaluated after it, is not zero. */
export const doWhile = (body: Code, condition: Code): Code => [0x03, 0x40, body, condition, 0x0d, 0, 0x0b];

/** Parameters and locals are i32, numbered in this order; nothing is returned. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  readonly locals: number;
  readonly body: Code;
}

/** A module with one memory of fixed size, exported as `memory`, the given functions, and `data` at address 0. */
export function encodeModule(
  pages: number,
  functions: readonly WasmFunction[],
  data: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [0x60, vector(Array(parameters).fill([I32])), vector([])]);
  const exported = functions.map(({ name }, index) => [text(name), 0, unsigned(index)]);
  const bodies = functions.map(({ locals, body }) => sized([vector([[unsigned(locals), I32]]), body, END]));
  return Uint8Array.from(
    bytes([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
      section(1, vector(types)),
      section(3, vector(functions.map((_, index) => unsigned(index)))),
      section(5, vector([[1, unsigned(pages), unsigned(pages)]])),
      section(7, vector([[text('memory'), 2, 0], ...exported])),
      section(10, vector(bodies)),
      section(11, vector([[0, i32(0), END, sized([...data])]])),
    ]),
  );
}

const I32 = 0x7f;
const END = 0x0b;

const section = (id: number, content: Code): Code => [id, sized(content)];
const vector = (items: readonly Code[]): Code => [unsigned(items.length), items];
const text = (name: string): Code => sized([...Buffer.from(name)]);

function sized(content: Code): Code {
  const flat = bytes(content);
  return [unsigned(flat.length), flat];
}

function bytes(code: Code, into: number[] = []): number[] {
  for (const item of code) {
    if (typeof item === 'number') into.push(item);
    else bytes(item, into);
  }
  return into;
}

/** LEB128: seven bits a byte, the lowest first, the eighth bit says that more follow. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, unsigned(value >>> 7)];
}

function signed(value: number): Code {
  return value >= -0x40 && value < 0x40 ? [value & 0x7f] : [(value & 0x7f) | 0x80, signed(value >> 7)];
}
