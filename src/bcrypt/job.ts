import type { BcryptWork, Priority } from './engine.ts';

/** One computation from the request for it to the answer. */
export class Job {
  readonly id: number;
  readonly cost: number;
  readonly rounds: number;
  readonly priority: Priority;
  readonly flow: string;
  /** When it came. */
  readonly queued: number;
  readonly promise: Promise<Uint8Array>;
  /** When it went to a thread for the last time, and how often it did. */
  started = 0;
  attempts = 0;
  #answered = false;
  readonly #input: Uint8Array;
  readonly #settled = Promise.withResolvers<Uint8Array>();
  readonly #signal: AbortSignal | undefined;
  readonly #aborted: () => void;

  /** Copies what it is given. When the signal aborts before there is an answer, that is the answer, and `aborted` is called. */
  constructor(
    id: number,
    { password, salt, cost, signal, priority = 0, flow = '' }: BcryptWork,
    queued: number,
    aborted: (job: Job) => void,
  ) {
    this.id = id;
    this.cost = cost;
    this.rounds = 2 ** cost;
    this.priority = priority;
    this.flow = flow;
    this.queued = queued;
    this.promise = this.#settled.promise;
    this.#input = new Uint8Array(salt.length + password.length);
    this.#input.set(salt);
    this.#input.set(password, salt.length);
    this.#signal = signal;
    this.#aborted = () => {
      this.reject(signal?.reason);
      aborted(this);
    };
    signal?.addEventListener('abort', this.#aborted, { once: true });
  }

  get settled(): boolean {
    return this.#answered;
  }

  /** Salt and password for a thread, which overwrites them. */
  copyOfInput(): Uint8Array<ArrayBuffer> {
    return this.#input.slice();
  }

  resolve(digest: Uint8Array): void {
    this.#forget();
    this.#settled.resolve(digest);
  }

  reject(reason: unknown): void {
    this.#forget();
    this.#settled.reject(reason);
  }

  #forget(): void {
    this.#answered = true;
    this.#signal?.removeEventListener('abort', this.#aborted);
    this.#input.fill(0);
  }
}
