/**
 * The closed set of errors that the outside can see, and their one mapping to HTTP.
 * Anything that is thrown and is not a `Problem` leaves the process as `internal`, without its message.
 */
const catalogue = {
  malformed_request: { status: 400, title: 'Malformed request' },
  unauthenticated: { status: 401, title: 'Authentication required' },
  invalid_token: { status: 401, title: 'Invalid token' },
  invalid_credentials: { status: 401, title: 'Invalid credentials' },
  forbidden: { status: 403, title: 'Forbidden' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  request_timeout: { status: 408, title: 'Request timeout' },
  email_taken: { status: 409, title: 'Email taken' },
  payload_too_large: { status: 413, title: 'Payload too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  validation_failed: { status: 422, title: 'Validation failed' },
  too_many_requests: {
    status: 429,
    // Type and title are not ours: they belong to the RateLimit fields.
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
  },
  headers_too_large: { status: 431, title: 'Request headers too large' },
  internal: { status: 500, title: 'Internal error' },
  overloaded: { status: 503, title: 'Overloaded' },
  unavailable: { status: 503, title: 'Unavailable' },
} as const;

interface Entry {
  readonly status: number;
  readonly title: string;
  readonly type?: string;
}

export type Code = keyof typeof catalogue;

export function statusOf(code: Code): number {
  return catalogue[code].status;
}

export const codes = Object.keys(catalogue) as readonly Code[];

/** One fault of a request body. `pointer` is a JSON Pointer (RFC 6901); "" is the body itself. */
export interface Fault {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

interface ProblemOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly errors?: readonly Fault[];
  /** With `too_many_requests`: which limits were reached, as the RateLimit fields call them. */
  readonly violatedPolicies?: readonly string[];
  /** What is logged and never sent. */
  readonly cause?: unknown;
}

/** An error that the caller is told about. `detail` is sent as it is: never put anything of another person in it. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: Code;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly Fault[] | undefined;
  readonly violatedPolicies: readonly string[] | undefined;

  constructor(code: Code, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.code = code;
    this.headers = options.headers ?? {};
    this.errors = options.errors;
    this.violatedPolicies = options.violatedPolicies;
  }

  get status(): number {
    return statusOf(this.code);
  }

  /** The body by RFC 9457. `requestId` becomes `instance`, so that a report can be found in the log. */
  toBody(requestId: string): Record<string, unknown> {
    const { status, title, type = `urn:plinth:problem:${this.code}` }: Entry = catalogue[this.code];
    return {
      type,
      title,
      status,
      detail: this.message,
      instance: `urn:plinth:request:${requestId}`,
      code: this.code,
      ...(this.errors && { errors: this.errors }),
      ...(this.violatedPolicies && { 'violated-policies': this.violatedPolicies }),
    };
  }
}

const challenge = 'Bearer realm="plinth"';

/** The challenge of RFC 6750, section 3; with an error when a token was given and refused. */
export function unauthenticated(error?: 'invalid_token'): Problem {
  return error
    ? new Problem('invalid_token', 'The token is expired, revoked or malformed.', {
        headers: { 'www-authenticate': `${challenge}, error="invalid_token"` },
      })
    : new Problem('unauthenticated', 'This needs an access token: Authorization: Bearer …', {
        headers: { 'www-authenticate': challenge },
      });
}

/** A password that is not the one; RFC 9110 wants a challenge with every 401. */
export function invalidCredentials(detail: string): Problem {
  return new Problem('invalid_credentials', detail, { headers: { 'www-authenticate': challenge } });
}

/** `retryAfter` in seconds. */
export function unavailable(
  code: 'overloaded' | 'unavailable',
  retryAfter: number,
  cause?: unknown,
): Problem {
  const detail =
    code === 'overloaded'
      ? 'More work is waiting than can be done in time.'
      : 'The database cannot be reached or cannot be written.';
  return new Problem(code, detail, { headers: { 'retry-after': String(retryAfter) }, cause });
}
