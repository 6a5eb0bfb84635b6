import { DatabaseError } from 'pg';
import { DatabaseRefused, DatabaseUnavailable, UniqueViolation } from '../errors.ts';

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const uniqueViolation = '23505';
const serializationFailure = '40001';
const deadlockDetected = '40P01';
const readOnly = '25006';
const featureNotSupported = '0A000';
const unknownStatement = '26000';
const statementExists = '42P05';
const lockNotAvailable = '55P03';
const cancelled = '57014';
/** Connections, resources, operators, the system below; each with all that begin with it. */
const away = ['08', '53', '57P', '58', serializationFailure, deadlockDetected, lockNotAvailable, cancelled];

/** The columns of each unique constraint, by its name. */
export type Constraints = ReadonlyMap<string, string>;

/** What the rest of the program understands of an error of the server; any other error is returned as it is. */
export function translated(error: unknown, constraints: Constraints): unknown {
  const code = sqlState(error);
  if (!(error instanceof DatabaseError) || code === undefined) return error;
  const columns = code === uniqueViolation ? constraints.get(error.constraint ?? '') : undefined;
  if (columns !== undefined) return new UniqueViolation(columns, { cause: error });
  const unavailable = away.some(start => code.startsWith(start)) || isStale(error) || isDemoted(error);
  return unavailable ? new DatabaseUnavailable(error.message, { cause: error }) : error;
}

/** Two transactions were in each other's way, or the statement was prepared for another schema: nothing was done. */
export function isTransient(error: unknown): boolean {
  const cause = error instanceof DatabaseUnavailable ? error.cause : error;
  const code = sqlState(cause);
  return code === serializationFailure || code === deadlockDetected || isStale(cause);
}

/** What was prepared on this connection is good for nothing any more: it was for another schema, or not kept. */
export function isStale(error: unknown): boolean {
  if (isUnprepared(error)) return true;
  return (
    error instanceof DatabaseError &&
    error.code === featureNotSupported &&
    error.routine === 'RevalidateCachedQuery'
  );
}

/** The other side does not have what was prepared, or has what was not: a pooler gives each statement another server. */
export function isUnprepared(error: unknown): boolean {
  const code = sqlState(error);
  return code === unknownStatement || code === statementExists;
}

/** The server is one that another has taken the place of: the next connection may find the other. */
export function isDemoted(error: unknown): boolean {
  if (sqlState(error) === readOnly) return true;
  // What a standby says where a transaction that is to write begins.
  return (
    error instanceof DatabaseError &&
    error.code === featureNotSupported &&
    error.routine === 'call_bool_check_hook'
  );
}

/** What to throw where work with a database failed: the same, but saying which one, `what`. */
export function failureOf(what: string, error: unknown): unknown {
  const cause = error instanceof DatabaseUnavailable ? (error.cause ?? error) : error;
  const reason = error instanceof DatabaseRefused ? error.message : refusal(cause);
  if (reason !== undefined) return new DatabaseRefused(`${what} ${reason}`, { cause: error });
  if (!(error instanceof DatabaseUnavailable)) return error;
  return new DatabaseUnavailable(`${what}: ${error.message}`, { cause: error });
}

/** Why a database cannot be worked with until somebody changes something, as the end of a sentence about it. */
function refusal(error: unknown): string | undefined {
  const code = sqlState(error);
  // Who we are, what there is, and what we may do with it.
  if (code !== undefined && /^(28|3D|3F|42(?!P05))/.test(code))
    return `cannot be worked with: ${(error as Error).message}`;
  const { code: reason = '', message } = error as NodeJS.ErrnoException;
  return /CERT|SELF_SIGNED|UNABLE_TO/.test(reason)
    ? `is not proven to be the one that was meant: ${message}`
    : undefined;
}

function sqlState(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}
