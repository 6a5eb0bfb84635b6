import type { Finished } from './thread.ts';

/**
 * One kernel and its lanes: who is in which, how far each is, and nothing left behind. The busy lanes are always the
 * first ones, so that N of them need only the N-lane code.
 *
 * The text of this class is what the worker threads run (see `worker.ts`), so it refers to nothing outside itself.
 */
export class Lanes {
  readonly #layout: Layout;
  readonly #memory: Uint8Array;
  readonly #words: DataView;
  readonly #call: (name: string, argument: number) => void;
  readonly #busy: { id: number; left: number }[] = [];

  constructor(kernel: WebAssembly.Instance, layout: Layout) {
    const { memory, ...functions } = kernel.exports;
    const { buffer } = memory as WebAssembly.Memory;
    this.#layout = layout;
    this.#memory = new Uint8Array(buffer);
    this.#words = new DataView(buffer);
    this.#call = (name, argument) => (functions[name] as (argument: number) => void)(argument);
  }

  get busy(): number {
    return this.#busy.length;
  }

  /** `input`, which is overwritten: the salt (16 bytes) and the password (up to 72). There has to be a free lane. */
  join(id: number, input: Uint8Array, cost: number): void {
    const { key, salt } = this.#layout;
    const lane = this.#address(this.#busy.length);
    this.#busy.push({ id, left: 2 ** cost });
    const password = new Uint8Array(input.length - 16 + 1); // and the NUL that ends it
    password.set(input.subarray(16));
    for (let index = 0; index < 72; index++) {
      // Big-endian words in little-endian memory.
      this.#memory[(lane + key + index) ^ 3] = password[index % password.length] ?? 0;
      this.#memory[(lane + salt + index) ^ 3] = input[index % 16] ?? 0;
    }
    password.fill(0);
    input.fill(0);
    this.#call('begin', lane);
  }

  /** False if it was not there. */
  drop(id: number): boolean {
    const index = this.#busy.findIndex(job => job.id === id);
    if (index >= 0) this.#leave(index);
    return index >= 0;
  }

  /** At most `rounds` rounds of every busy lane, fewer when one of them is done earlier. Returns those that are. */
  run(rounds: number): { rounds: number; finished: Finished[] } {
    const count = Math.min(rounds, ...this.#busy.map(job => job.left));
    this.#call(`run${this.#busy.length}`, count);
    const finished: Finished[] = [];
    for (let index = this.#busy.length - 1; index >= 0; index--) {
      const job = this.#busy[index];
      if (job === undefined) continue;
      job.left -= count;
      if (job.left > 0) continue;
      finished.push({ id: job.id, digest: this.#digest(index) });
      this.#leave(index);
    }
    return { rounds: count, finished };
  }

  #digest(index: number): Uint8Array {
    const lane = this.#address(index);
    this.#call('end', lane);
    const digest = new DataView(new ArrayBuffer(24));
    for (let at = 0; at < 24; at += 4) {
      digest.setUint32(at, this.#words.getUint32(lane + this.#layout.key + at, true));
    }
    return new Uint8Array(digest.buffer, 0, 23);
  }

  /** The last lane moves to the place that is free now, and its own is cleared. */
  #leave(index: number): void {
    const last = this.#busy.pop();
    const from = this.#address(this.#busy.length);
    if (last !== undefined && index < this.#busy.length) {
      this.#busy[index] = last;
      this.#memory.copyWithin(this.#address(index), from, from + this.#layout.laneBytes);
    }
    this.#memory.fill(0, from, from + this.#layout.laneBytes);
  }

  #address(index: number): number {
    return this.#layout.firstLane + index * this.#layout.laneBytes;
  }
}

/** In bytes: where lanes lie in the kernel's memory, and key and salt in a lane. */
export interface Layout {
  readonly firstLane: number;
  readonly laneBytes: number;
  readonly key: number;
  readonly salt: number;
}
