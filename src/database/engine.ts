import type { Kysely, Transaction } from 'kysely';
import type { ReadonlyCompiledQuery } from 'kysely/readonly';

/** What an engine gives the program. Every failure of the engine itself is a `DatabaseUnavailable`. */
export interface Engine<Tables> {
  /** Reads. Outside of any transaction: what another transaction has committed is seen, nothing else. */
  readonly db: ReadQueries<Tables>;

  /**
   * One at a time, alone with the database. Ends durable: when this resolves, or rejects with what `work` threw,
   * everything it may have seen or done survives a loss of power. Rolled back when `work` throws.
   *
   * Await nothing in `work` but queries of its own `tx`: everybody else waits meanwhile. After five seconds of
   * waiting it is rolled back and rejected.
   */
  transaction<T>(work: (tx: Transaction<Tables>) => Promise<T>): Promise<T>;

  /** One trivial read. */
  ping(): Promise<void>;

  /** Lets what was begun finish, then closes. */
  close(): Promise<void>;
}

export interface ReadQueries<Tables> extends Pick<Kysely<Tables>, 'selectFrom' | 'selectNoFrom' | 'fn'> {
  executeQuery<R>(query: ReadonlyCompiledQuery<R>): Promise<{ readonly rows: R[] }>;
}

export interface DatabaseOptions {
  /** The folder of migrations; tests have others. */
  readonly migrations?: URL;
  /** Sees the rows of `instance`, name to value, before anything is changed; a reason refuses the database. */
  readonly accept?: (facts: ReadonlyMap<string, string>) => string | undefined;
  /** Called once, when the disk failed to keep a commit: writes are refused from then on, until a restart. */
  readonly onFatal?: (cause: unknown) => void;
  /** Makes what was written to the open file durable. */
  readonly sync?: (fd: number) => Promise<void>;
  /** The wall clock. */
  readonly now?: () => Date;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonic?: () => number;
  /** 0 to 1. */
  readonly random?: () => number;
}
