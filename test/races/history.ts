/** What was asked of which node, when, and what came of it. Times in milliseconds of one clock, that of the client. */
export type Event = When &
  (Register | Login | Refresh | Me | Logout | Change | Keys | Rotate | Retire | Revoke | List | Turn);

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
  /** Of the key that signed the access token. */
  readonly kid: string;
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

/** What operators do has a `status` of 200, or 409 where it was refused as making no sense. */
interface Rotate {
  readonly op: 'rotate';
}

interface Retire {
  readonly op: 'retire';
  readonly kid: string;
}

interface Revoke {
  readonly op: 'revoke';
  readonly kid: string;
}

/** The keys that an operator sees. */
interface List {
  readonly op: 'list';
  readonly keys: readonly KeyTimes[];
  /** On the clock of the service, after the answer was there. */
  readonly now: number;
}

/** Of the clocks of all, while nobody asks for anything. */
interface Turn {
  readonly op: 'turn';
  readonly seconds: number;
}

/** When a key signs, in milliseconds on the clock of the service. */
export interface KeyTimes {
  readonly kid: string;
  readonly from: number;
  /** `Infinity`: it does so until something is done about it. */
  readonly until: number;
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
