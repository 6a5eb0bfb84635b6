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

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
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
  readonly #times: readonly string[];

  constructor(statement: StatementSync) {
    const columns = statement.columns();
    this.#statement = statement;
    this.#returnsRows = columns.length > 0;
    this.#times = columns
      .filter(({ column, name }) => (column ?? name).endsWith('_at'))
      .map(({ name }) => name);
  }

  run<R>(parameters: readonly unknown[]): QueryResult<R> {
    const values = parameters.map(toSql);
    if (!this.#returnsRows) {
      const { changes } = this.#statement.run(...values);
      return { rows: [], numAffectedRows: BigInt(changes) };
    }
    const rows: Record<string, unknown>[] = this.#statement.all(...values);
    for (const row of rows) for (const name of this.#times) row[name] = toTime(row[name]);
    return { rows: rows as R[] };
  }
}

function toSql(value: unknown): SQLInputValue {
  return value instanceof Date ? value.getTime() : (value as SQLInputValue);
}

function toTime(value: unknown): unknown {
  return typeof value === 'number' ? new Date(value) : value;
}
