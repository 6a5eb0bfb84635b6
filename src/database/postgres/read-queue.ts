import type { CompiledQuery } from 'kysely';
import { DatabaseUnavailable } from '../errors.ts';
import { toSql } from './values.ts';

export type Execute = <R>(query: CompiledQuery<R>) => Promise<{ readonly rows: R[] }>;

/** A row, and the number of the read that it belongs to, from 1. */
export type Answer<Row> = Row & { readonly asked_turn: number };

interface Waiting<Values, Row> {
  readonly values: Values;
  readonly alone: () => Promise<Row[]>;
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** The reads of one definition, on their way together. */
export class ReadQueue<Values extends object, Row> {
  readonly #names: readonly string[];
  readonly #compile: () => CompiledQuery<Answer<Row>>;
  #query: CompiledQuery<Answer<Row>> | undefined;
  readonly #execute: Execute;
  readonly #apart: (work: () => void) => void;
  #waiting: Waiting<Values, Row>[] = [];
  #running = 0;

  /** `compile` gives the query, when there are several: its first parameters are the columns of values, in the order of `names`. */
  constructor(
    names: readonly string[],
    compile: () => CompiledQuery<Answer<Row>>,
    execute: Execute,
    apart: (work: () => void) => void,
  ) {
    this.#names = names;
    this.#compile = compile;
    this.#execute = execute;
    this.#apart = apart;
  }

  /** `alone`: the read as a query of its own, for where nothing else is asked for. */
  ask(values: Values, alone: () => Promise<Row[]>): Promise<Row[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
    if (this.#waiting.length === 0) this.#apart(() => setImmediate(this.#send));
    this.#waiting.push({ values, alone, resolve, reject });
    return promise;
  }

  /** While as many as are good for it are under way, what comes gathers. */
  readonly #send = (): void => {
    while (this.#waiting.length > 0 && this.#running < mostRunning) {
      const reads = this.#waiting.splice(0, mostTogether);
      this.#running++;
      void this.#run(reads).finally(() => {
        this.#running--;
        this.#send();
      });
    }
  };

  async #run(reads: readonly Waiting<Values, Row>[]): Promise<void> {
    if (reads.length === 1) return await this.#runAlone(reads);
    try {
      const found = await this.#find(reads);
      for (const [at, { resolve }] of reads.entries()) resolve(found[at] ?? []);
    } catch (error) {
      // A value that the database cannot take is to harm nobody else.
      if (!(error instanceof DatabaseUnavailable)) return await this.#runAlone(reads);
      for (const { reject } of reads) reject(error);
    }
  }

  async #runAlone(reads: readonly Waiting<Values, Row>[]): Promise<void> {
    for (const { alone, resolve, reject } of reads) await alone().then(resolve, reject);
  }

  async #find(reads: readonly Waiting<Values, Row>[]): Promise<Row[][]> {
    const columns = this.#names.map(name => reads.map(({ values }) => toSql(values[name as keyof Values])));
    this.#query ??= this.#compile();
    const parameters = [...columns, ...this.#query.parameters.slice(columns.length)];
    const { rows } = await this.#execute<Answer<Row>>({ ...this.#query, parameters });
    const found: Row[][] = reads.map(() => []);
    for (const { asked_turn, ...row } of rows) found[asked_turn - 1]?.push(row as Row);
    return found;
  }
}

const mostRunning = 2;
const mostTogether = 500;
