import assert from 'node:assert/strict';
import test from 'node:test';
import { violations } from './checker.ts';
import type { Event } from './history.ts';

const email = 'ada@example.com';
const issued = (session: string, refreshToken = 'r1', kid = 'k1') => ({ session, refreshToken, kid });

/** What every event has, from one moment to another. */
function at(start: number, end: number, status: number) {
  return { node: 0, start, end, status };
}
const login = (start: number, end: number, session: string, password = 0, kid = 'k1'): Event => ({
  ...at(start, end, 200),
  op: 'login',
  person: email,
  password,
  opened: issued(session, 'r1', kid),
});
const refused = (start: number, end: number, password: number): Event => ({
  ...at(start, end, 401),
  op: 'login',
  person: email,
  password,
});
const register = (start: number, end: number, status: number): Event => ({
  ...at(start, end, status),
  op: 'register',
  email,
});
const me = (start: number, end: number, status: number, session = 's', kid = 'k1'): Event => ({
  ...at(start, end, status),
  op: 'me',
  session,
  kid,
});
const logout = (start: number, end: number, status = 204): Event => ({
  ...at(start, end, status),
  op: 'logout',
  session: 's',
});
const refresh = (start: number, end: number, token: string, successor?: string, of = 's'): Event => ({
  ...at(start, end, successor === undefined ? 401 : 200),
  op: 'refresh',
  session: 's',
  token,
  opened: successor === undefined ? undefined : issued(of, successor),
});
const change = (start: number, end: number, status: number, from: number, to: number): Event => ({
  ...at(start, end, status),
  op: 'change',
  person: email,
  session: 'changer',
  from,
  to,
});
const keys = (start: number, kids: readonly string[]): Event => ({
  ...at(start, start + 1, 200),
  op: 'keys',
  kids,
});

const rotate = (start: number, end: number): Event => ({ ...at(start, end, 200), op: 'rotate' });
const retire = (start: number, end: number, status: number): Event => ({
  ...at(start, end, status),
  op: 'retire',
  kid: 'k1',
});
const revoke = (start: number, end: number): Event => ({ ...at(start, end, 200), op: 'revoke', kid: 'k1' });
const turn = (start: number, seconds: number): Event => ({ ...at(start, start, 200), op: 'turn', seconds });
const list = (start: number, ...keys: readonly (readonly [from: number, until: number])[]): Event => ({
  ...at(start, start + 1, 200),
  op: 'list',
  keys: keys.map(([from, until], i) => ({ kid: `k${i}`, from, until })),
  now: 100,
});

const possible: readonly (readonly [name: string, ...history: Event[]])[] = [
  ['one of two gets the address', register(0, 9, 409), register(1, 8, 201)],
  ['a look at the time of the logout, either way', logout(2, 6), me(0, 3, 200), me(1, 4, 401), me(5, 8, 401)],
  ['a look before the logout, one after it', me(0, 1, 200), logout(2, 3), me(4, 5, 401)],
  [
    'one successor for all who ask',
    refresh(0, 5, 'a', 'b'),
    refresh(1, 4, 'a', 'b'),
    refresh(6, 7, 'b', 'c'),
  ],
  ['a refresh at the time of the logout', logout(2, 6), refresh(1, 5, 'a', 'b'), refresh(4, 7, 'b')],
  ['one of two changes the password', change(0, 5, 204, 0, 1), change(1, 6, 401, 0, 2)],
  ['the change ends other sessions', login(0, 1, 's'), change(2, 5, 204, 0, 1), me(3, 4, 200), me(6, 7, 401)],
  ['but not that which asked', login(0, 1, 'changer'), change(2, 5, 204, 0, 1), me(6, 7, 200, 'changer')],
  ['nor one opened with the new password', change(0, 5, 204, 0, 1), login(2, 6, 's', 1), me(7, 8, 200)],
  [
    'the old password before the end of the change',
    change(0, 5, 204, 0, 1),
    login(4, 9, 's'),
    refused(1, 9, 0),
  ],
  ['the new password before it', change(0, 5, 204, 0, 1), refused(1, 4, 1)],
  ['a key that is published', login(0, 1, 's'), keys(2, ['k1', 'k2'])],
  ['a key that signs where another ends', list(0, [200, Infinity], [0, 200])],
  [
    'two rotations, one after the other',
    rotate(0, 5),
    rotate(0, 6),
    list(7, [0, 200], [200, 200], [200, Infinity]),
  ],
  ['a revoked key, as soon as a node knows', revoke(0, 5), me(1, 2, 401), me(3, 4, 200), me(6, 7, 200)],
  ['a revoked key is not published', login(0, 1, 's'), revoke(2, 3), keys(4, ['k2'])],
  ['a retirement that was refused', retire(0, 1, 409), turn(2, 31), login(3, 4, 's')],
  ['another key after a turn', login(0, 1, 's'), turn(2, 31), login(3, 4, 't', 0, 'k2')],
  ['another key while it is rotated', login(0, 3, 's'), rotate(1, 5), login(2, 4, 't', 0, 'k2')],
];

const impossible: readonly (readonly [rule: RegExp, ...history: Event[]])[] = [
  [/nobody should get/, me(0, 1, 500)],
  [/nobody should get/, register(0, 1, 201), register(2, 3, 429)],
  [/exactly one/, register(0, 5, 201), register(1, 6, 201)],
  [/exactly one/, register(0, 5, 409), register(1, 6, 409)],
  [/before anybody asked/, register(0, 1, 409), register(2, 3, 201)],
  [/is over counts/, logout(0, 1), me(2, 3, 200)],
  [/is over counts/, logout(0, 1), refresh(2, 3, 'a', 'b')],
  [/is over counts/, login(0, 1, 's'), change(2, 3, 204, 0, 1), me(4, 5, 200)],
  [/is over counts/, change(0, 4, 204, 0, 1), login(1, 5, 's'), me(6, 7, 200)],
  [/is not over does not/, me(0, 1, 401)],
  [/is not over does not/, me(0, 1, 401), logout(2, 3)],
  [/is not over does not/, logout(0, 3, 401), me(2, 4, 401)],
  [/is not over does not/, refresh(0, 5, 'a', 'b'), refresh(1, 4, 'a')],
  [/is not over does not/, login(0, 1, 'changer'), change(2, 3, 204, 0, 1), me(4, 5, 401, 'changer')],
  [/came back/, logout(0, 9), me(1, 2, 401), me(3, 4, 200)],
  [/two successors/, refresh(0, 5, 'a', 'b'), refresh(1, 4, 'a', 'c')],
  [/given twice/, refresh(0, 5, 'a', 'b'), refresh(1, 4, 'c', 'b')],
  [/another session/, refresh(0, 5, 'a', 'b', 'other')],
  [/replaced twice/, change(0, 5, 204, 0, 1), change(1, 6, 204, 0, 2)],
  [/without a reason/, change(0, 5, 401, 0, 1)],
  [/was replaced counts/, change(0, 1, 204, 0, 1), login(2, 3, 's')],
  [/does not count/, refused(0, 1, 0)],
  [/does not count/, change(0, 1, 204, 0, 1), refused(2, 3, 1)],
  [/is not published/, login(0, 1, 's'), keys(2, ['k2'])],
  [/no key signs/, list(0)],
  [/no key signs/, list(0, [0, 200], [201, Infinity])],
  [/without an end/, rotate(0, 1), list(2, [0, Infinity], [200, Infinity])],
  [/revoked counts/, revoke(0, 1), turn(2, 31), me(3, 4, 200)],
  [/is not over does not/, me(0, 1, 401), revoke(2, 3)],
  [/is not over does not/, revoke(0, 1), me(2, 3, 401, 's', 'k2')],
  [/retired signs/, retire(0, 1, 200), turn(2, 31), login(3, 4, 's')],
  [/different keys/, turn(0, 31), login(1, 3, 's'), login(2, 4, 't', 0, 'k2')],
];

test('what may happen is no violation', () => {
  for (const [name, ...history] of possible) assert.deepEqual(violations(history), [], name);
});

test('what must not happen is one, in whatever order it was written down', () => {
  for (const [rule, ...history] of impossible) {
    assert.match(violations(history).join('\n'), rule);
    assert.match(violations(history.toReversed()).join('\n'), rule);
  }
});

test('every rule is broken by one of these', () => {
  const names = new Set(
    impossible.flatMap(([, ...history]) => violations(history).map(line => line.split(':')[0])),
  );
  assert.equal(names.size, 19);
});
