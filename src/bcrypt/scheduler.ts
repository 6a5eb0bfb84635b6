import { Admission } from './admission.ts';
import { Crew, type Member } from './crew.ts';
import { type BcryptEngine, type BcryptWork, EngineClosed, EngineFailed, Overloaded } from './engine.ts';
import { Job } from './job.ts';
import { Queue } from './queue.ts';
import type { Report, StartThread } from './thread.ts';

export interface SchedulerOptions {
  readonly description: string;
  readonly startThread: StartThread;
  /** At most so many threads, started as they are needed, with so many places each. */
  readonly threads: number;
  readonly lanes: number;
  /** The longest expected wait, in milliseconds, with which work is still taken on. */
  readonly maxWait: number;
  /** How long `close()` lets work go on, in milliseconds. */
  readonly closeWithin: number;
  /** Milliseconds without work after which the threads end: each keeps several megabytes, and starts again in no time. */
  readonly idleAfter: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

/**
 * Whenever a place is free, the first of the queue gets it, on the thread with the fewest jobs. A job on a thread that dies
 * goes back to the queue, once.
 */
export class Scheduler implements BcryptEngine {
  readonly description: string;
  readonly #options: SchedulerOptions;
  readonly #admission: Admission;
  readonly #crew: Crew;
  readonly #queue = new Queue();
  #lastId = 0;
  #failedStarts = 0;
  /** Why the last thread ended or did not start. */
  #failure: unknown;
  #awake = false;
  #idle: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  readonly #allDone = Promise.withResolvers<void>();

  constructor(options: SchedulerOptions) {
    this.description = options.description;
    this.#options = options;
    this.#crew = new Crew(options.lanes);
    this.#admission = new Admission(options.maxWait);
  }

  async digest(work: BcryptWork): Promise<Uint8Array> {
    check(work);
    work.signal?.throwIfAborted();
    if (this.#crew.size === 0) this.#failedStarts = 0;
    const refusal = this.refusal(work);
    if (refusal !== undefined) throw refusal;
    this.#lastId++;
    const job = new Job(this.#lastId, work, this.#options.now(), aborted => this.#abort(aborted));
    this.#queue.add(job);
    this.#proceed();
    return job.promise;
  }

  refusal({ priority = 0, flow = '' }: Pick<BcryptWork, 'priority' | 'flow'>): Error | undefined {
    if (this.#closing !== undefined) return new EngineClosed('the hashing engine is closed');
    const ahead = this.#queue.before(priority, flow);
    const left = this.#crew.roundsLeft(this.#options.now(), this.#admission.rate);
    const rounds = ahead.reduce((sum, job) => sum + job.rounds, left);
    return this.#refusal(ahead.length + this.#crew.jobs.length, rounds);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#options.closeWithin);
    if (this.#outstanding > 0) await Promise.race([this.#allDone.promise, timeout]);
    clearTimeout(timer);
    clearTimeout(this.#idle);
    this.#rejectQueue(new EngineClosed('the hashing engine was closed'));
    for (const job of this.#crew.jobs) job.reject(new EngineClosed('the hashing engine was closed'));
    await this.#crew.end();
  }

  /** Puts waiting jobs where there is a place, and starts a thread where there is none for them. */
  #proceed(): void {
    for (let member = this.#crew.freest(); member !== undefined; member = this.#crew.freest()) {
      const job = this.#queue.take();
      if (job === undefined) break;
      job.started = this.#options.now();
      job.attempts++;
      member.jobs.set(job.id, job);
      member.thread.join(job.id, job.copyOfInput(), job.cost);
    }
    while (this.#crew.size < Math.min(this.#outstanding, this.#threads)) this.#start();
    if (this.#crew.size === 0) {
      this.#rejectQueue(new EngineFailed('no thread could be started', { cause: this.#failure }));
    }
    const awake = this.#outstanding > 0;
    if (awake !== this.#awake) {
      this.#crew.keepAlive(awake);
      clearTimeout(this.#idle);
      if (!awake) this.#idle = setTimeout(() => this.#crew.end(), this.#options.idleAfter).unref();
    }
    this.#awake = awake;
    if (!awake) this.#allDone.resolve();
  }

  #start(): void {
    try {
      const thread = this.#options.startThread({
        report: report => this.#report(member, report),
        exited: reason => this.#exited(member, reason),
      });
      const member: Member = { thread, ready: false, jobs: new Map() };
      this.#crew.add(member);
      thread.keepAlive(true);
    } catch (error) {
      this.#failedStarts++; // counts like a thread that ends before it is ready
      this.#failure = error;
    }
  }

  #report(member: Member, { finished, rate }: Report): void {
    member.ready = true;
    this.#failedStarts = 0;
    for (const { id, digest } of finished) {
      const job = member.jobs.get(id);
      member.jobs.delete(id);
      if (digest !== undefined) job?.resolve(digest);
    }
    const first = this.#admission.rate === 0;
    this.#admission.measured(rate);
    if (first) this.#judgeQueue();
    this.#rejectOverdue();
    this.#proceed();
  }

  #exited(member: Member, reason: unknown): void {
    if (!this.#crew.remove(member)) return;
    if (!member.ready) this.#failedStarts++;
    this.#failure = reason;
    for (const job of member.jobs.values()) {
      if (job.settled) continue;
      if (job.attempts < 2) this.#queue.add(job);
      else job.reject(new EngineFailed('two threads died computing this', { cause: reason }));
    }
    this.#proceed();
  }

  #abort(job: Job): void {
    if (!this.#queue.remove(job)) this.#crew.drop(job);
    this.#proceed();
  }

  #rejectQueue(reason: Error): void {
    this.#queue.reject(() => reason);
  }

  /** What was taken on may be overtaken, or the machine slow down: still nobody waits longer than was promised. */
  #rejectOverdue(): void {
    const latest = this.#options.now() - this.#options.maxWait;
    this.#queue.reject(job => (job.queued < latest ? new Overloaded(1) : undefined));
  }

  /** As `digest` would have, had the rate been known. */
  #judgeQueue(): void {
    let jobs = 0;
    let rounds = 0;
    this.#queue.reject(job => {
      const refusal = this.#refusal(jobs, rounds);
      if (refusal === undefined) {
        jobs++;
        rounds += job.rounds;
      }
      return refusal;
    });
  }

  /** For a job with so many jobs and rounds before it. Nobody waits while there is a place. */
  #refusal(jobs: number, rounds: number): Error | undefined {
    const places = this.#threads * this.#options.lanes;
    return jobs < places ? undefined : this.#admission.refusal(rounds, this.#threads);
  }

  get #outstanding(): number {
    return this.#queue.length + this.#crew.jobs.length;
  }

  /** After two failed starts in a row, those that run have to do. */
  get #threads(): number {
    return this.#failedStarts < 2 ? this.#options.threads : this.#crew.size;
  }
}

function check({ password, salt, cost }: BcryptWork): void {
  if (password.length > 72)
    throw new RangeError(`a password of ${password.length} bytes; bcrypt takes up to 72`);
  if (salt.length !== 16) throw new RangeError(`a salt of ${salt.length} bytes; bcrypt takes 16`);
  if (!Number.isInteger(cost) || cost < 4 || cost > 31)
    throw new RangeError(`cost ${cost}; bcrypt takes 4 to 31`);
}
