/** This database is not one to work with; nothing was changed. The message says which and why, for the operator. */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused';
}

/** The database cannot answer now. The work was not done or, where a commit was under way, may have been. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
  /** When to try again, in seconds. */
  readonly retryAfter = 1;
}

/** What an engine throws when a row would have broken a unique constraint or a primary key. */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';
  /** `table.column`, several joined by `, `. */
  readonly columns: string;

  constructor(columns: string, options?: ErrorOptions) {
    super(`not unique: ${columns}`, options);
    this.columns = columns;
  }
}

/** Whether a write failed because of this constraint, named by its columns: `users.email_canonical`. */
export function isUniqueViolation(error: unknown, columns: string): boolean {
  return error instanceof UniqueViolation && error.columns === columns;
}
