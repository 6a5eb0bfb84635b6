import type { CompiledQuery } from 'kysely';
import { DatabaseUnavailable } from '../errors.ts';
import type { Asker } from './budgets.ts';
import { fromJson, toSql } from './values.ts';

export type Execute = <R>(query: CompiledQuery<R>) => Promise<{ readonly rows: R[] }>;

/** JSON: a list of the rows of each read, in the order of asking; null where it found none. */
export interface Found {
  readonly found: string;
}

interface Waiting<Values, Row> {
  readonly values: Values;
  readonly alone: () => Promise<Row[]>;
  readonly asker: Asker;
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** The reads of one definition, on their way together. */
export class ReadQueue<Values extends object, Row> {
  readonly #compile: () => CompiledQuery<Found>;
  #query: CompiledQuery<Found> | undefined;
  readonly #execute: Execute;
  readonly #apart: (work: () => void) => void;
  #waiting: Waiting<Values, Row>[] = [];
  #running = 0;

  /** `compile` gives the query for several: its first parameter is the list of their values, each with its `asked_turn`, as JSON. */
  constructor(compile: () => CompiledQuery<Found>, execute: Execute, apart: (work: () => void) => void) {
    this.#compile = compile;
    this.#execute = execute;
    this.#apart = apart;
  }

  /** `alone`: the read as a query of its own, for where nothing else is asked for. */
  ask(values: Values, alone: () => Promise<Row[]>, asker: Asker): Promise<Row[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
    if (this.#waiting.length === 0) this.#apart(() => setImmediate(this.#send));
    this.#waiting.push({ values, alone, asker, resolve, reject });
    return promise;
  }

  /** While as many as are good for it are under way, what comes gathers. */
  readonly #send = (): void => {
    while (this.#waiting.length > 0 && this.#running < mostRunning) {
      // Those who gave up while the database was away are not to keep others waiting when it is back.
      const reads = this.#waiting.splice(0, mostTogether).filter(({ asker }) => !asker.gone);
      if (reads.length === 0) continue;
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

  async #find(reads: readonly Waiting<Values, Row>[]): Promise<(Row[] | null)[]> {
    this.#query ??= this.#compile();
    const asked = reads.map(({ values }, asked_turn) => toRecord(values, asked_turn));
    const parameters = this.#query.parameters.with(0, JSON.stringify(asked));
    const { rows } = await this.#execute<Found>({ ...this.#query, parameters });
    const found: (object[] | null)[] = JSON.parse(rows[0]?.found ?? '[]');
    for (const rows of found) rows?.forEach(fromJson);
    return found as (Row[] | null)[];
  }
}

/** With times as text: of an object that has others in it, `JSON.stringify` takes twice as long. */
function toRecord(values: object, asked_turn: number): object {
  const record: Record<string, unknown> = { ...values, asked_turn };
  for (const name in record) record[name] = toSql(record[name]);
  return record;
}

const mostRunning = 2;
/**
 * So that there are two where many wait. One alone would have this program wait for the database and the database for
 * this program, by turns.
 */
const mostTogether = 64;
