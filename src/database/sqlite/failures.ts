import { DatabaseRefused, DatabaseUnavailable, UniqueViolation } from '../errors.ts';

// https://sqlite.org/rescode.html; the lower eight bits are the kind.
const BUSY = 5;
const NOMEM = 7;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;
const NOTADB = 26;
const IOERR_FSYNC = 1034;
const CONSTRAINT_PRIMARYKEY = 1555;
const CONSTRAINT_UNIQUE = 2067;

/** What the rest of the program understands of an error of `node:sqlite`; any other error is returned as it is. */
export function translated(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = resultCode(error);
  if (code === CONSTRAINT_UNIQUE || code === CONSTRAINT_PRIMARYKEY) {
    // The message is the only place where SQLite names the columns: "UNIQUE constraint failed: users.email_canonical".
    return new UniqueViolation(error.message.replace(/^.*?: /, ''), { cause: error });
  }
  const away = [BUSY, NOMEM, IOERR, FULL, CANTOPEN, PROTOCOL].includes(code & 0xff);
  const closed = 'code' in error && error.code === 'ERR_INVALID_STATE';
  return away || closed ? new DatabaseUnavailable(error.message, { cause: error }) : error;
}

export function isBusy(error: unknown): boolean {
  return (resultCode(error) & 0xff) === BUSY;
}

export function isDamage(error: unknown): boolean {
  return (resultCode(error) & 0xff) === CORRUPT;
}

/** What SQLite says of a file that it can make nothing of. */
export function isUnreadable(error: unknown): boolean {
  return isDamage(error) || (resultCode(error) & 0xff) === NOTADB;
}

/** SQLite itself could not sync a file: what was written before may be lost, whatever a later sync says. */
export function isSyncFailure(error: unknown): boolean {
  return resultCode(error instanceof DatabaseUnavailable ? error.cause : error) === IOERR_FSYNC;
}

/** What to throw where work with a file failed: a refusal that says which, `what`, or what the failure means elsewhere. */
export function failureOf(what: string, error: unknown): unknown {
  const reason = error instanceof DatabaseRefused ? error.message : refusal(error);
  return reason === undefined
    ? translated(error)
    : new DatabaseRefused(`${what} ${reason}`, { cause: error });
}

/** Why a file cannot be worked with, as the end of a sentence about it; undefined for what is no error of SQLite. */
function refusal(error: unknown): string | undefined {
  if (!(error instanceof Error) || resultCode(error) === 0) return undefined;
  const kind = resultCode(error) & 0xff;
  if (kind === NOTADB) return 'is not an SQLite database, or its header is damaged';
  if (kind === CORRUPT) return `is damaged: ${error.message}`;
  return `cannot be opened: ${error.message}`;
}

/** SQLite's extended result code, 0 for any other error. */
function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode
    : 0;
}
