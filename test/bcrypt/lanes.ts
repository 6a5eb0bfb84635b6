import assert from 'node:assert/strict';
import { STATE_BYTES } from '../../src/bcrypt/blowfish.ts';
import { kernel, layout } from '../../src/bcrypt/kernel.ts';
import { Lanes } from '../../src/bcrypt/lanes.ts';
import { fractionOfPi } from '../../src/bcrypt/pi.ts';

export const pi = fractionOfPi(STATE_BYTES);

/** A kernel in this thread, with a look into its memory. */
export function openLanes(code = kernel(4, pi)) {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code));
  const { memory } = instance.exports;
  assert.ok(memory instanceof WebAssembly.Memory);
  return { lanes: new Lanes(instance, layout), memory: Buffer.from(memory.buffer) };
}

export function input(password: Uint8Array, salt: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...salt, ...password]);
}

/** Runs all lanes to their ends, in slices of random length. */
export function finish(lanes: Lanes, rounds: () => number): Map<number, Uint8Array> {
  const digests = new Map<number, Uint8Array>();
  while (lanes.busy > 0) {
    for (const { id, digest } of lanes.run(rounds()).finished) if (digest) digests.set(id, digest);
  }
  return digests;
}
