import type { Job } from './job.ts';
import type { Thread } from './thread.ts';

/** A thread, and its jobs by their ids. */
export interface Member {
  readonly thread: Thread;
  readonly jobs: Map<number, Job>;
  /** Whether it has reported. */
  ready: boolean;
}

/** The threads there are, with so many lanes each, and the jobs in these. */
export class Crew {
  readonly #lanes: number;
  readonly #members = new Set<Member>();

  constructor(lanes: number) {
    this.#lanes = lanes;
  }

  /** Threads. */
  get size(): number {
    return this.#members.size;
  }

  get jobs(): Job[] {
    return [...this.#members].flatMap(({ jobs }) => [...jobs.values()]);
  }

  add(member: Member): void {
    this.#members.add(member);
  }

  /** Whether it was there. */
  remove(member: Member): boolean {
    return this.#members.delete(member);
  }

  /** The one with the fewest jobs, of those that have a free lane. */
  freest(): Member | undefined {
    let freest: Member | undefined;
    for (const member of this.#members) {
      if (!member.ready || member.jobs.size >= this.#lanes) continue;
      if (freest === undefined || member.jobs.size < freest.jobs.size) freest = member;
    }
    return freest;
  }

  /** Asks the thread that has it to stop. */
  drop(job: Job): void {
    for (const { jobs, thread } of this.#members) if (jobs.has(job.id)) thread.drop(job.id);
  }

  /** An estimate, at this moment, of the rounds that are left. `rate`: rounds a millisecond of a thread. */
  roundsLeft(now: number, rate: number): number {
    const left = this.jobs.map(job => Math.max(0, job.rounds - ((now - job.started) * rate) / this.#lanes));
    return left.reduce((sum, rounds) => sum + rounds, 0);
  }

  /** Whether the threads keep the process alive. */
  keepAlive(yes: boolean): void {
    for (const { thread } of this.#members) thread.keepAlive(yes);
  }

  /** Ends every thread, whatever it is doing. */
  async end(): Promise<void> {
    const members = [...this.#members];
    this.#members.clear();
    await Promise.all(members.map(({ thread }) => thread.end()));
  }
}
