import type { Kysely, Transaction } from 'kysely';
import type { ReadonlyCompiledQuery } from 'kysely/readonly';
import type { PreparedRead } from './prepared.ts';

/** What an engine gives the program. Every failure of the engine itself is a `DatabaseUnavailable`. */
export interface Engine<Tables> {
  /** Reads. Outside of any transaction: what another transaction has committed is seen, nothing else. */
  readonly db: ReadQueries<Tables>;

  /**
   * All of `work` or nothing. Ends durable: when this resolves, or rejects with what `work` threw, everything it may
   * have seen or done survives a loss of power, on PostgreSQL as far as its settings allow (`onNotDurable`). Rolled back
   * when `work` throws.
   *
   * Others may run at the same time, here and on other nodes, and each statement sees what was committed before it. So
   * whatever a decision rests on has to be locked by the read that finds it (`forNoKeyUpdate`, or `forUpdate` where the
   * row is to be deleted), or decided in the `where` of the statement that writes.
   *
   * Await nothing in `work` but queries of its own `tx`: others wait meanwhile, and after a few seconds it is rolled
   * back and rejected. It may run again from its beginning, where it and another were in each other's way: change
   * nothing in it but by its `tx`.
   */
  transaction<T>(work: Work<Tables, T>): Promise<T>;

  /** As `transaction`, for the one statement of `work`: it costs a round trip, where a transaction costs two more. */
  statement<T>(work: Work<Tables, T>): Promise<T>;

  /**
   * As `transaction`, and no other `exclusive` and no migration runs at the same time, on any node. For what happens
   * seldom.
   */
  exclusive<T>(work: Work<Tables, T>): Promise<T>;

  /** One trivial read. */
  ping(): Promise<void>;

  /**
   * Where it is there: `work`, and whatever follows from it, waits for the database for three seconds in all. What it
   * would wait for after these is a `DatabaseUnavailable` at once.
   */
  readonly inBudget?: (work: () => void) => void;

  /** Lets what was begun finish, then closes. */
  close(): Promise<void>;
}

export type Work<Tables, T> = (tx: Transaction<Tables>) => Promise<T>;

export interface ReadQueries<Tables> extends Pick<Kysely<Tables>, 'selectFrom' | 'selectNoFrom' | 'fn'> {
  executeQuery<R>(query: ReadonlyCompiledQuery<R>): Promise<{ readonly rows: R[] }>;
  /** Where it is there, prepared reads of one moment are sent together. */
  readonly together?: <Values extends object, Row>(
    read: PreparedRead<Tables, Values, Row>,
    values: Values,
    alone: () => Promise<Row[]>,
  ) => Promise<Row[]>;
  /** Where it is there: for work that several wait for. It is in nobody's budget, and each waits for it in their own. */
  readonly share?: <T>(work: () => Promise<T>) => Promise<T>;
}

export interface DatabaseOptions {
  /** The folder of migrations; tests have others. */
  readonly migrations?: URL;
  /** Whether migrations that are still to be applied are, or refuse the database. They are unless this is false. */
  readonly migrate?: boolean;
  /** Sees the rows of `instance`, name to value, before anything is changed; a reason refuses the database. */
  readonly accept?: (facts: ReadonlyMap<string, string>) => string | undefined;
  /** SQLite. Called once, when the disk failed to keep a commit: writes are refused from then on, until a restart. */
  readonly onFatal?: (cause: unknown) => void;
  /** SQLite. Makes what was written to the open file durable. */
  readonly sync?: (fd: number) => Promise<void>;
  /**
   * SQLite. It syncs each commit by itself, while everybody waits: for where this program may not. The file has to be
   * there.
   */
  readonly syncsAlone?: boolean;
  /** PostgreSQL. Called once, at the start, where settings of the server are off without which it may lose what it keeps. */
  readonly onNotDurable?: (settings: readonly string[]) => void;
  /** PostgreSQL. Connections at most; 10 where it is not given. */
  readonly connections?: number;
  /** PostgreSQL. Whether prepared reads of one moment are sent together. They are unless this is false. */
  readonly together?: boolean;
  /** PostgreSQL. Instead of those that hold, so that a test need not wait for them. */
  readonly patience?: Partial<Patience>;
  /** PostgreSQL. The same. */
  readonly serverLimits?: Partial<ServerLimits>;
  /** The wall clock. */
  readonly now?: () => Date;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonic?: () => number;
  /** 0 to 1. */
  readonly random?: () => number;
}

/** Milliseconds after which whoever waits is told that the database does not answer. */
export interface Patience {
  readonly statement: number;
  readonly transaction: number;
  readonly connection: number;
  /** For all that one request asks of it. */
  readonly request: number;
}

/** Milliseconds that the server gives a statement, a wait for a lock, and a transaction that nothing is heard of. */
export interface ServerLimits {
  readonly statement: number;
  readonly lock: number;
  readonly idle: number;
}
