import { DatabaseUnavailable } from '../errors.ts';

/**
 * Makes commits durable, many at a time: one sync runs at once, and what is committed while it runs shares the next.
 * After the first failure nothing is durable any more: the kernel may have dropped what it could not write, and a later
 * sync would report success all the same.
 */
export class WalSync {
  readonly #sync: () => Promise<void>;
  readonly #onFailure: (cause: unknown) => void;
  #running = false;
  #next: PromiseWithResolvers<void> | undefined;
  #failure: DatabaseUnavailable | undefined;

  constructor(sync: () => Promise<void>, onFailure: (cause: unknown) => void) {
    this.#sync = sync;
    this.#onFailure = onFailure;
  }

  /** Resolves when a sync that began after this call has succeeded. */
  async settled(): Promise<void> {
    this.check();
    this.#next ??= Promise.withResolvers();
    const { promise } = this.#next;
    if (!this.#running) void this.#run();
    await promise;
  }

  /** Throws once a sync has failed. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  fail(cause: unknown): void {
    if (this.#failure) return;
    this.#failure = new DatabaseUnavailable('the disk failed to keep a commit; writes need a restart', {
      cause,
    });
    this.#onFailure(cause);
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#next) {
      const waiting = this.#next;
      this.#next = undefined;
      try {
        await this.#sync();
      } catch (error) {
        this.fail(error);
      }
      if (this.#failure) waiting.reject(this.#failure);
      else waiting.resolve();
    }
    this.#running = false;
  }
}
