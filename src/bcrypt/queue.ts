import type { Priority } from './engine.ts';
import type { Job } from './job.ts';
import { RoundRobin } from './round-robin.ts';

/** Jobs that wait for a place: by priority, and within one the flows take turns. */
export class Queue {
  readonly #lines: Readonly<Record<Priority, RoundRobin>> = [new RoundRobin(), new RoundRobin()];
  #length = 0;

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
    const job = this.#lines[0].take() ?? this.#lines[1].take();
    if (job) this.#length--;
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
    const own = this.#lines[priority].before(flow);
    return priority === 0 ? own : [...this.#lines[0].all(), ...own];
  }

  /** Takes out those for which there is a reason, in order, and gives it to them. */
  reject(reasonFor: (job: Job) => Error | undefined): void {
    for (const job of [...this.#lines[0].all(), ...this.#lines[1].all()]) {
      const reason = reasonFor(job);
      if (!reason) continue;
      this.remove(job);
      job.reject(reason);
    }
  }
}
