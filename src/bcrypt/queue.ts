import type { Job } from './job.ts';

/** Jobs that wait for a place: by priority, and within one by the order in which they came. */
export class Queue {
  #jobs: Job[] = [];

  get length(): number {
    return this.#jobs.length;
  }

  get first(): Job | undefined {
    return this.#jobs[0];
  }

  /** One that comes back, because its thread died, gets its old place. */
  add(job: Job): void {
    const at = this.#jobs.findLastIndex(other => !goesBefore(job, other)) + 1;
    this.#jobs.splice(at, 0, job);
  }

  /** Whether it was there. */
  remove(job: Job): boolean {
    const at = this.#jobs.indexOf(job);
    if (at >= 0) this.#jobs.splice(at, 1);
    return at >= 0;
  }

  /** How many, and how many rounds in all, go before a newcomer of this priority. */
  before(priority: number): { readonly jobs: number; readonly rounds: number } {
    const jobs = this.#jobs.filter(job => job.priority <= priority);
    return { jobs: jobs.length, rounds: jobs.reduce((sum, job) => sum + job.rounds, 0) };
  }

  /** Takes out those for which there is a reason, in order, and gives it to them. */
  reject(reasonFor: (job: Job) => Error | undefined): void {
    this.#jobs = this.#jobs.filter(job => {
      const reason = reasonFor(job);
      if (reason) job.reject(reason);
      return reason === undefined;
    });
  }
}

function goesBefore(a: Job, b: Job): boolean {
  return a.priority === b.priority ? a.id < b.id : a.priority < b.priority;
}
