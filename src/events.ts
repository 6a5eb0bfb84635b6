import type { Log } from './log.ts';

type Level = 'info' | 'warn' | 'error' | 'fatal';

/**
 * Every event that a line of the log names in `event`, with its level and what a person reads. What each has besides is
 * told in `docs/logging.md`. None has a password, a token, an address or anything else that a caller chose.
 */
export const events = {
  service_started: ['info', 'the service listens'],
  service_stopping: ['info', 'the service was told to stop, and is not ready any more'],
  service_stopped: ['info', 'the service has stopped'],
  service_crashed: ['fatal', 'an error that nobody caught ends the process'],
  log_lines_lost: ['warn', 'lines of the log were lost'],
  more_events: ['warn', 'an event came so often that so many more have no line of their own'],
  worker_ended: ['error', 'a process that serves ended while it should not have'],
  signing_keys_changed: ['info', 'these are the signing keys now'],
  signing_keys_unreadable: ['error', 'the signing keys cannot be read again; those in memory go on'],
  hashing_degraded: ['warn', 'passwords are hashed by less than could be'],
  password_hash_unusable: ['error', 'a stored password hash cannot be used'],
  database_not_durable: ['warn', 'the database may lose what it has acknowledged'],
  database_created: ['warn', 'nothing was in the database: a new one begins'],
  files_exposed: ['warn', 'other users of the machine may read or change what only the service should'],
  disk_failed: ['fatal', 'the disk failed to keep a commit: no writes until a restart'],
  upkeep_failed: ['warn', 'what is over cannot be deleted'],
  account_created: ['info', 'somebody registered'],
  account_changed: ['info', 'somebody changed their account'],
  account_deleted: ['info', 'somebody deleted their account'],
  password_changed: ['info', 'somebody changed their password; all their other sessions ended'],
  session_started: ['info', 'somebody logged in'],
  session_renewed: ['info', 'a session got new tokens'],
  session_ended: ['info', 'a session was ended by its owner'],
  other_sessions_ended: ['info', 'somebody ended all of their sessions but one'],
  login_failed: ['info', 'the address or the password of a login was wrong'],
  login_throttled: ['warn', 'a login was refused: too many have failed'],
  login_unfinished: [
    'info',
    'a login ended before its password was checked, or before its session was there',
  ],
  password_check_failed: ['info', 'in a session, the password that it asked for was wrong'],
  password_check_throttled: ['warn', 'in a session, a password was refused: too many were wrong'],
  password_check_unfinished: ['info', 'in a session, what a password was asked for was not done'],
  new_password_throttled: ['warn', 'a registration or a new password was refused: there were too many'],
  refresh_token_reuse: ['warn', 'a refresh token that had its time was used: the session was ended'],
  request_not_http: ['info', 'what came over a connection was not taken for a request'],
  connections_dropped: ['warn', 'too many connections: idle ones are closed'],
  shedding_started: ['warn', 'the process is behind: requests are refused, the least important first'],
  shedding_ended: ['warn', 'no more requests are refused'],
  request_failed: ['error', 'internal error'],
  request_not_served: ['warn', 'not served'],
} as const satisfies Readonly<Record<string, readonly [Level, string]>>;

export type EventName = keyof typeof events;

/** Writes one line. `fields`: plain values; an error as `err`. */
export type RecordEvent = (event: EventName, fields?: Readonly<Record<string, unknown>>) => void;

export interface Recorder extends RecordEvent {
  /** Writes what was counted in this second at once. For the end. */
  readonly tellMore: () => void;
}

/** What anybody can bring about as often as they like, with no more than requests. */
const atWill: ReadonlySet<EventName> = new Set([
  'login_throttled',
  'password_check_throttled',
  'new_password_throttled',
  'request_not_http',
  'request_not_served',
]);

/** Lines in a second for each of these; the others are counted, and told of in one line when it is over. */
const mostTold = 20;

/** Each has a count of its own, so that a flood of one cannot hide another. */
export function recordIn(log: Pick<Log, Level>): Recorder {
  const seen = new Map<EventName, number>();
  const write: RecordEvent = (event, fields) => {
    const [level, message] = events[event];
    log[level]({ event, ...fields }, message);
  };
  const tellMore = (): void => {
    for (const [of, count] of seen)
      if (count > mostTold) write('more_events', { of, count: count - mostTold });
    seen.clear();
  };
  const record: RecordEvent = (event, fields) => {
    if (atWill.has(event)) {
      if (seen.size === 0) setTimeout(tellMore, 1000).unref();
      const count = (seen.get(event) ?? 0) + 1;
      seen.set(event, count);
      if (count > mostTold) return;
    }
    write(event, fields);
  };
  return Object.assign(record, { tellMore });
}
