import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { translated } from './failures.ts';

/**
 * Kysely's view of one connection. Statements are prepared once for each text of SQL, and times are `Date` outside and
 * integer milliseconds inside: a column whose name ends in `_at` is a time.
 */
export class SqliteConnection implements DatabaseConnection {
  readonly raw: DatabaseSync;
  readonly #statements = new Map<string, Statement>();

  constructor(raw: DatabaseSync) {
    this.raw = raw;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.run<R>(query);
  }

  protected run<R>({ sql, parameters }: CompiledQuery): QueryResult<R> {
    try {
      return this.#prepare(sql).run<R>(parameters);
    } catch (error) {
      throw translated(error);
    }
  }

  /** All rows at once: a statement that stays open would hold the write-ahead log. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }

  get statements(): number {
    return this.#statements.size;
  }

  #prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = new Statement(this.raw.prepare(sql));
      const oldest = this.#statements.keys().next();
      if (this.#statements.size >= maxStatements && !oldest.done) this.#statements.delete(oldest.value);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

export const maxStatements = 256;

class Statement {
  readonly #statement: StatementSync;
  readonly #returnsRows: boolean;
  readonly #columns: readonly Column[];

  constructor(statement: StatementSync) {
    const columns = statement.columns();
    this.#statement = statement;
    this.#returnsRows = columns.length > 0;
    this.#columns = columns.map(({ column, name }) => ({ name, isTime: (column ?? name).endsWith('_at') }));
    // The objects that SQLite's binding makes are dictionaries: slow to make and slower to read.
    if (this.#returnsRows) statement.setReturnArrays(true);
  }

  run<R>(parameters: readonly unknown[]): QueryResult<R> {
    const values = parameters.map(toSql);
    if (!this.#returnsRows) {
      const { changes } = this.#statement.run(...values);
      return { rows: [], numAffectedRows: BigInt(changes) };
    }
    const rows: unknown = this.#statement.all(...values);
    return { rows: (rows as unknown[][]).map(row => this.#toObject(row)) as R[] };
  }

  #toObject(values: readonly unknown[]): Record<string, unknown> {
    const row: Record<string, unknown> = {};
    let at = 0;
    for (const { name, isTime } of this.#columns) {
      const value = values[at++];
      row[name] = isTime ? toTime(value) : value;
    }
    return row;
  }
}

interface Column {
  readonly name: string;
  readonly isTime: boolean;
}

function toSql(value: unknown): SQLInputValue {
  return value instanceof Date ? value.getTime() : (value as SQLInputValue);
}

function toTime(value: unknown): unknown {
  return typeof value === 'number' ? new Date(value) : value;
}
