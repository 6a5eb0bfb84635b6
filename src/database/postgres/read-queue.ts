import type { CompiledQuery } from 'kysely';
import { DatabaseUnavailable } from '../errors.ts';
import { toSql } from './values.ts';

export type Execute = <R>(query: CompiledQuery<R>) => Promise<{ readonly rows: R[] }>;

/** A row, and the number of the read that it belongs to, from 1. */
export type Answer<Row> = Row & { readonly asked_turn: number };

interface Waiting<Values, Row> {
  readonly values: Values;
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** The reads of one definition, on their way together. */
export class ReadQueue<Values extends object, Row> {
  readonly #names: readonly string[];
  readonly #query: CompiledQuery<Answer<Row>>;
  readonly #execute: Execute;
  #waiting: Waiting<Values, Row>[] = [];
  #running = 0;

  /** `query`: its first parameters are the columns of values, in the order of `names`. */
  constructor(names: readonly string[], query: CompiledQuery<Answer<Row>>, execute: Execute) {
    this.#names = names;
    this.#query = query;
    this.#execute = execute;
  }

  ask(values: Values): Promise<Row[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
    if (this.#waiting.length === 0) setImmediate(this.#send);
    this.#waiting.push({ values, resolve, reject });
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
    try {
      const found = await this.#find(reads);
      for (const [at, { resolve }] of reads.entries()) resolve(found[at] ?? []);
    } catch (error) {
      const [only, ...others] = reads;
      if (others.length === 0 || error instanceof DatabaseUnavailable) {
        for (const { reject } of reads) reject(error);
      } else {
        // A value that the database cannot take is to harm nobody else.
        for (const read of [only, ...others]) if (read) await this.#run([read]);
      }
    }
  }

  async #find(reads: readonly Waiting<Values, Row>[]): Promise<Row[][]> {
    const columns = this.#names.map(name => reads.map(({ values }) => toSql(values[name as keyof Values])));
    const parameters = [...columns, ...this.#query.parameters.slice(columns.length)];
    const { rows } = await this.#execute<Answer<Row>>({ ...this.#query, parameters });
    const found: Row[][] = reads.map(() => []);
    for (const { asked_turn, ...row } of rows) found[asked_turn - 1]?.push(row as unknown as Row);
    return found;
  }
}

const mostRunning = 2;
const mostTogether = 500;
