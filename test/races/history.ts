/** What was asked of which node, when, and what came of it. Times in milliseconds of one clock, that of the client. */
export type Event = When & (Register | Login | Refresh | Me | Logout | Change | Keys);

interface When {
  readonly node: number;
  /** Before the request left. */
  readonly start: number;
  /** After the answer was there. */
  readonly end: number;
  readonly status: number;
}

interface Register {
  readonly op: 'register';
  /** As the database knows it. */
  readonly email: string;
}

interface Login {
  readonly op: 'login';
  readonly person: string;
  /** Which of the person's passwords, in the order in which they replace each other. */
  readonly password: number;
  readonly opened?: Issued | undefined;
}

interface Refresh {
  readonly op: 'refresh';
  readonly session: string;
  readonly token: string;
  readonly opened?: Issued | undefined;
}

interface Me {
  readonly op: 'me';
  readonly session: string;
}

interface Logout {
  readonly op: 'logout';
  readonly session: string;
}

/** Of the password with this number to the one with a number of its own. */
interface Change {
  readonly op: 'change';
  readonly person: string;
  readonly session: string;
  readonly from: number;
  readonly to: number;
}

interface Keys {
  readonly op: 'keys';
  /** Those that the node publishes. */
  readonly kids: readonly string[];
}

export interface Issued {
  readonly session: string;
  readonly refreshToken: string;
  /** Of the key that signed the access token. */
  readonly kid: string;
}

type Op<Name extends Event['op']> = Extract<Event, { readonly op: Name }>;

/** The events of one kind. */
export function all<Name extends Event['op']>(history: readonly Event[], op: Name): Op<Name>[] {
  return history.filter((event): event is Op<Name> => event.op === op);
}
