import { all, type Event, type Issued } from './history.ts';
import { isRevoked, keyRules } from './key-rules.ts';
import type { Rule } from './rule.ts';

/**
 * What in a history cannot be, whatever the order in which the nodes did what overlaps. An event that ended before
 * another began happened before it; nothing else is taken for granted. Sessions are not old enough to end by themselves.
 */
export function violations(history: readonly Event[]): string[] {
  return rules.flatMap(({ name, broken }) =>
    broken(history).map(events => `${name}: ${JSON.stringify(events)}`),
  );
}

const expected: Readonly<Record<Event['op'], readonly number[]>> = {
  register: [201, 409],
  login: [200, 401],
  refresh: [200, 401],
  me: [200, 401],
  logout: [204, 401],
  change: [204, 401],
  keys: [200],
  rotate: [200],
  retire: [200, 409],
  revoke: [200, 409],
  list: [200],
  turn: [200],
};

const rules: readonly Rule[] = [
  ...keyRules,
  {
    name: 'an answer that nobody should get',
    broken: history => history.filter(({ op, status }) => !expected[op].includes(status)),
  },
  {
    name: 'an address belongs to exactly one',
    broken: history =>
      groups(all(history, 'register'), ({ email }) => email).filter(
        group => group.filter(({ status }) => status === 201).length !== 1,
      ),
  },
  {
    name: 'an address was taken before anybody asked for it',
    broken: history =>
      all(history, 'register').filter(
        event =>
          event.status === 409 &&
          !all(history, 'register').some(
            other => other.email === event.email && other.status === 201 && other.start < event.end,
          ),
      ),
  },
  {
    name: 'a session that is over counts',
    broken: history =>
      uses(history).filter(
        ({ session, start, good }) => good && endings(history, session).some(({ end }) => end < start),
      ),
  },
  {
    name: 'a session that is not over does not count',
    broken: history =>
      uses(history).filter(
        ({ session, end, good }) => !good && !endings(history, session).some(({ start }) => start < end),
      ),
  },
  {
    name: 'a session came back',
    broken: history =>
      groups(uses(history), ({ session }) => session).flatMap(group =>
        group.filter(({ good, start }) => good && group.some(other => !other.good && other.end < start)),
      ),
  },
  {
    name: 'one refresh token has two successors',
    broken: history =>
      groups(refreshed(history), ({ token }) => token).filter(
        group => new Set(group.map(({ opened }) => opened.refreshToken)).size > 1,
      ),
  },
  {
    name: 'a refresh token was given twice',
    broken: history =>
      groups(refreshed(history), ({ opened }) => opened.refreshToken).filter(
        group => new Set(group.map(({ token }) => token)).size > 1,
      ),
  },
  {
    name: 'a refresh gave a token of another session',
    broken: history => refreshed(history).filter(({ session, opened }) => opened.session !== session),
  },
  {
    name: 'a password was replaced twice',
    broken: history =>
      groups(changed(history), ({ person, from }) => `${person} ${from}`).filter(group => group.length > 1),
  },
  {
    name: 'a change of the password was refused without a reason',
    broken: history =>
      all(history, 'change').filter(
        ({ status, person, end }) =>
          status === 401 && !changed(history).some(other => other.person === person && other.start < end),
      ),
  },
  {
    name: 'a password that was replaced counts',
    broken: history =>
      all(history, 'login').filter(
        ({ status, person, password, start }) =>
          status === 200 &&
          changed(history).some(
            change => change.person === person && change.from === password && change.end < start,
          ),
      ),
  },
  {
    name: 'the password does not count',
    broken: history =>
      all(history, 'login').filter(({ status, person, password, start, end }) => {
        const changes = changed(history).filter(change => change.person === person);
        const wasSet = password === 0 || changes.some(change => change.to === password && change.end < start);
        return (
          status === 401 && wasSet && !changes.some(({ from, start }) => from === password && start < end)
        );
      }),
  },
];

/** The uses of sessions, and whether each was good. A token of a revoked key says nothing of its session. */
function uses(history: readonly Event[]) {
  const looks = all(history, 'me').filter(look => look.status === 200 || !isRevoked(history, look));
  const events = [...looks, ...all(history, 'refresh')];
  return events.map(event => ({ ...event, good: event.status === 200 }));
}

/** What ended a session: its logout, or a change of the password that it was opened with by another session. */
function endings(history: readonly Event[], session: string): readonly Event[] {
  const opening = all(history, 'login').find(({ opened }) => opened?.session === session);
  return [
    ...all(history, 'logout').filter(event => event.session === session && event.status === 204),
    ...changed(history).filter(
      change =>
        change.person === opening?.person && change.session !== session && opening.password < change.to,
    ),
  ];
}

function refreshed(history: readonly Event[]) {
  return all(history, 'refresh').flatMap(event => {
    const { opened }: { readonly opened?: Issued | undefined } = event;
    return opened ? [{ ...event, opened }] : [];
  });
}

function changed(history: readonly Event[]) {
  return all(history, 'change').filter(({ status }) => status === 204);
}

function groups<Item>(items: readonly Item[], key: (item: Item) => string): Item[][] {
  return [...Map.groupBy(items, key).values()];
}
