import { all, type Event, type Issued, type KeyTimes } from './history.ts';
import type { Rule } from './rule.ts';

/** Seconds in which every node has heard what was done with the keys. */
const heardWithin = 30;

export const keyRules: readonly Rule[] = [
  {
    name: 'a key that signs is not published',
    broken: history =>
      all(history, 'keys').filter(keys =>
        issues(history).some(
          ({ end, opened: { kid } }) =>
            end < keys.start && !keys.kids.includes(kid) && !isRevoked(history, { kid, end: keys.end }),
        ),
      ),
  },
  {
    name: 'no key signs',
    broken: history => all(history, 'list').filter(({ keys, now }) => endOfSigning(keys, now) < Infinity),
  },
  {
    name: 'a rotation leaves another key than its own without an end',
    broken: history =>
      all(history, 'list').filter(
        ({ keys, start }) =>
          all(history, 'rotate').some(({ end }) => end < start) &&
          all(history, 'revoke').length === 0 &&
          keys.filter(({ until }) => until === Infinity).length !== 1,
      ),
  },
  {
    name: 'a key that was revoked counts',
    broken: history =>
      all(history, 'me').filter(
        ({ status, kid, start }) =>
          status === 200 &&
          done(history, 'revoke').some(
            revoked => revoked.kid === kid && isHeard(history, revoked.end, start),
          ),
      ),
  },
  {
    name: 'a key that was retired signs',
    broken: history =>
      issues(history).filter(({ opened, start }) =>
        [...done(history, 'retire'), ...done(history, 'revoke')].some(
          ({ kid, end }) => kid === opened.kid && isHeard(history, end, start),
        ),
      ),
  },
  {
    name: 'nodes sign with different keys',
    broken: history =>
      [...Map.groupBy(issues(history), event => quietSince(history, event))].flatMap(([since, events]) =>
        since && new Set(events.map(({ opened }) => opened.kid)).size > 1 ? [events] : [],
      ),
  },
];

/** Whether a node may know, at the end of an event, that a key was revoked. */
export function isRevoked(
  history: readonly Event[],
  { kid, end }: { readonly kid: string; readonly end: number },
): boolean {
  return done(history, 'revoke').some(revoked => revoked.kid === kid && revoked.start < end);
}

function done(history: readonly Event[], op: 'retire' | 'revoke') {
  return all(history, op).filter(({ status }) => status === 200);
}

function issues(history: readonly Event[]) {
  return history.flatMap(event => {
    const opened: Issued | undefined = 'opened' in event ? event.opened : undefined;
    return opened ? [{ ...event, opened }] : [];
  });
}

/** The first moment from `now` on at which no key signs. */
function endOfSigning(keys: readonly KeyTimes[], now: number): number {
  let end = now;
  for (const { from, until } of keys.toSorted((a, b) => a.from - b.from))
    if (from <= end && until > end) end = until;
  return end;
}

/** Whether all nodes looked at the keys between two moments. */
function isHeard(history: readonly Event[], after: number, before: number): boolean {
  return all(history, 'turn').some(
    ({ seconds, start, end }) => seconds > heardWithin && start > after && end < before,
  );
}

/** The turn of the clocks from which on nothing has happened to the keys, and everybody knew all, until an event was over. */
function quietSince(
  history: readonly Event[],
  { start, end }: Pick<Event, 'start' | 'end'>,
): Event | undefined {
  const changes = history.filter(({ op }) => ['turn', 'rotate', 'retire', 'revoke'].includes(op));
  const last = changes.toSorted((a, b) => a.start - b.start).findLast(change => change.start < end);
  const isQuiet = last?.op === 'turn' && last.seconds > heardWithin && last.end < start;
  return isQuiet ? last : undefined;
}
