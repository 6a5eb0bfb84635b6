import type { Priority } from './engine.ts';
import type { Job } from './job.ts';
import { RoundRobin } from './round-robin.ts';

/** So many of priority 0 go before each of priority 1, where both wait. */
const share = 9;

/** Jobs that wait for a place: the priorities have their shares, and within one the flows take turns. */
export class Queue {
  readonly #lines: readonly [RoundRobin, RoundRobin] = [new RoundRobin(), new RoundRobin()];
  #length = 0;
  /** How many of priority 0 have gone since one of priority 1 did, up to their share. */
  #gone = 0;

  get length(): number {
    return this.#length;
  }

  /** One that comes back, because its thread died, gets its old place in its flow. */
  add(job: Job): void {
    this.#lines[job.priority].add(job);
    this.#length++;
  }

  /** Takes out the first. */
  take(): Job | undefined {
    const [high, low] = this.#lines;
    const job = this.#gone < share ? (high.take() ?? low.take()) : (low.take() ?? high.take());
    if (!job) return undefined;
    this.#length--;
    this.#gone = job.priority === 0 ? Math.min(this.#gone + 1, share) : 0;
    return job;
  }

  /** Whether it was there. */
  remove(job: Job): boolean {
    const isThere = this.#lines[job.priority].remove(job);
    if (isThere) this.#length--;
    return isThere;
  }

  /** Those that go before a newcomer of this priority and flow, in no order. */
  before(priority: Priority, flow: string): Job[] {
    const [high, low] = this.#lines;
    const own = this.#lines[priority].before(flow);
    const others =
      priority === 0
        ? low.all().slice(0, Math.floor((own.length + this.#gone) / share))
        : high.all().slice(0, (own.length + 1) * share - this.#gone);
    return [...own, ...others];
  }

  /** Takes out those for which there is a reason, in order, and gives it to them. */
  reject(reasonFor: (job: Job) => Error | undefined): void {
    for (const job of this.#all()) {
      const reason = reasonFor(job);
      if (!reason) continue;
      this.remove(job);
      job.reject(reason);
    }
  }

  /** In the order in which they go if nobody comes. */
  #all(): Job[] {
    const low = this.#lines[1].all();
    const first = this.#lines[0].all().flatMap((job, at) => {
      const gone = at + this.#gone;
      return gone > 0 && gone % share === 0 ? [...low.splice(0, 1), job] : [job];
    });
    return [...first, ...low];
  }
}
