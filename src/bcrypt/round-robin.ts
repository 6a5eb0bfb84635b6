import type { Job } from './job.ts';

/**
 * Jobs of one priority that wait for a place. The flows that have any take turns, a job each; within a flow, the first come
 * is the first served. Of a flow that has none, nothing is kept.
 */
export class RoundRobin {
  /** Of each flow, in the order of their turns. None is empty. */
  readonly #flows = new Map<string, Job[]>();

  /** One that comes back, because its thread died, gets its old place in its flow. */
  add(job: Job): void {
    const jobs = this.#flows.get(job.flow);
    if (jobs) jobs.splice(jobs.findLastIndex(({ id }) => id < job.id) + 1, 0, job);
    else this.#flows.set(job.flow, [job]);
  }

  /** Takes out the one whose turn it is. */
  take(): Job | undefined {
    for (const [flow, jobs] of this.#flows) {
      const job = jobs.shift();
      this.#flows.delete(flow);
      if (jobs.length > 0) this.#flows.set(flow, jobs); // behind the others
      return job;
    }
    return undefined;
  }

  /** Whether it was there. */
  remove(job: Job): boolean {
    const jobs = this.#flows.get(job.flow) ?? [];
    const at = jobs.indexOf(job);
    if (at < 0) return false;
    jobs.splice(at, 1);
    if (jobs.length === 0) this.#flows.delete(job.flow);
    return true;
  }

  /** Those that go before a newcomer of this flow, in no order. */
  before(flow: string): Job[] {
    const turn = this.#flows.get(flow)?.length ?? 0;
    let upTo = turn + 1;
    return [...this.#flows].flatMap(([other, jobs]) => {
      // The flow itself, and those behind it in each round, have one turn less before that of the newcomer.
      if (other === flow) upTo = turn;
      return jobs.slice(0, upTo);
    });
  }

  /** All of them, in the order in which they go if nobody comes. */
  all(): Job[] {
    return [...this.#flows.values()]
      .flatMap(jobs => jobs.map((job, round) => ({ job, round })))
      .sort((a, b) => a.round - b.round)
      .map(({ job }) => job);
  }
}
