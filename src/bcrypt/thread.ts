/**
 * What the scheduler knows of whatever does the work: a place for a number of computations at once. It tells of nothing
 * after `exited`.
 */
export interface Thread {
  /** Takes a computation on: the salt (16 bytes) and the password (up to 72). `input` is overwritten. */
  join(id: number, input: Uint8Array<ArrayBuffer>, cost: number): void;
  /** Asks it to stop; that it did is reported like an end, without a digest. */
  drop(id: number): void;
  /** Whether it keeps the process alive. */
  keepAlive(yes: boolean): void;
  /** Ends it, whatever it is doing. */
  end(): Promise<void>;
}

export interface ThreadEvents {
  /** The first one says that the thread has started. */
  readonly report: (report: Report) => void;
  readonly exited: (reason?: unknown) => void;
}

export type StartThread = (events: ThreadEvents) => Thread;

export interface Report {
  readonly finished: readonly Finished[];
  /** Rounds a millisecond with every place taken, the average since the last report; zero if that is not known. */
  readonly rate: number;
}

/** No digest: it was dropped. */
export interface Finished {
  readonly id: number;
  readonly digest?: Uint8Array;
}
