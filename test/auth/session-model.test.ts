import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { TestApp } from '../helpers/app.ts';
import { me, type Nodes, refresh, sessionOf, startNodes } from '../helpers/nodes.ts';
import { type AccessToken, rules, type Session, SessionModel } from './session-model.ts';

const emails = ['ada@example.com', 'grace@example.com'];
const passwords = ['a very good passphrase', 'another good passphrase', 'ein anderer guter Satz'];

/** A step of a history: `ask` is done by one of the two nodes, with the session and the token that were chosen. */
type Ask = (on: {
  readonly app: TestApp;
  readonly model: SessionModel;
  readonly session: Session;
  readonly access: AccessToken;
  /** Whether the access token has to count. */
  readonly counts: boolean;
}) => Promise<void>;

type Step = (nodes: Nodes, model: SessionModel) => Promise<void>;

const email = fc.constantFrom(...emails);
/** Mostly the one that everybody begins with. */
const password = fc.constantFrom(...passwords.slice(0, 1), ...passwords);
/** Milliseconds: mostly around the ten seconds of a repeat. */
const waits = [10, 1000, 5000, 9990, 9999, 10_000, 10_001, 890_000, 905_000, ...days(1, 7, 13, 14)];
/** How many sessions, or tokens, back. */
const back = fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4);
const tokenBack = fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2);
const onB = fc.boolean();

/** The step, shown by what it was made of when a history fails. */
function shown<Values extends unknown[]>(
  name: string,
  values: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> },
  make: (values: Values) => Step,
): fc.Arbitrary<Step> {
  return fc
    .tuple<Values>(...values)
    .map(all => Object.assign(make(all), { [fc.toStringMethod]: () => `${name} ${JSON.stringify(all)}` }));
}

/** A step of somebody who has a token; nothing where nobody has one yet. */
function withToken<Values extends unknown[]>(
  name: string,
  values: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> },
  make: (values: Values) => Ask,
): fc.Arbitrary<Step> {
  return shown(
    name,
    [onB, back, tokenBack, fc.tuple<Values>(...values)],
    ([b, which, token, rest]) =>
      async (nodes, model) => {
        const session = at(model.sessions, which);
        if (!session) return;
        const access = at(session.accessTokens, token);
        assert.ok(access);
        const counts = model.isInTime(access) && model.isLive(session);
        await make(rest)({ app: b ? nodes.b : nodes.a, model, session, access, counts });
      },
  );
}

const register = shown('register', [onB, email, password], ([b, address, secret]) => async (nodes, model) => {
  const { status } = await (b ? nodes.b : nodes.a).post('/users', { email: address, password: secret });
  const known = model.people.some(person => person.email === address);
  assert.equal(status, known ? 409 : 201);
  if (!known) model.people.push({ email: address, password: secret });
});

const login = shown('login', [onB, email, password], ([b, address, secret]) => async (nodes, model) => {
  const person = model.people.find(one => one.email === address && one.password === secret);
  const { status, body } = await (b ? nodes.b : nodes.a).post('/login', { email: address, password: secret });
  assert.equal(status, person ? 200 : 401);
  if (person) model.login(sessionOf(body), person, body);
});

const wait = shown('wait', [fc.constantFrom(...waits)], ([milliseconds]) => async (nodes, model) => {
  nodes.time.turn(milliseconds / 1000);
  model.now += milliseconds;
});

const renew = withToken('refresh', [tokenBack], ([which]) => async ({ app, model, session }) => {
  const age = which % session.refreshTokens.length;
  const presented = at(session.refreshTokens, age) ?? '';
  const current = at(session.refreshTokens, 0);
  const expected = model.refresh(session, age);
  const { status, body } = await refresh(app, presented);
  assert.equal(status, expected === 'nothing' ? 401 : 200);
  if (expected === 'nothing') return;
  assert.equal(sessionOf(body), session.id);
  const end = Math.ceil((session.idleEnd - model.now) / 1000);
  assert.equal(body.refresh_expires_in, end);
  session.accessTokens.push({ token: body.access_token, issuedAt: model.now });
  if (expected === 'the current one') assert.equal(body.refresh_token, current);
  else assert.ok(!session.refreshTokens.includes(body.refresh_token));
  if (expected === 'a new one') session.refreshTokens.push(body.refresh_token);
});

const look = withToken('me', [], () => async ({ app, access, counts }) => {
  assert.equal(await me(app, access.token), counts ? 200 : 401);
});

const logout = withToken('logout', [], () => async ({ app, model, session, access }) => {
  const { status } = await app.post('/logout', undefined, { token: access.token });
  assert.equal(status, model.isInTime(access) ? 204 : 401);
  if (status === 204) session.ended = true;
});

const list = withToken('list', [], () => async ({ app, model, session, access, counts }) => {
  const { status, body } = await app.get('/me/sessions', { token: access.token });
  assert.equal(status, counts ? 200 : 401);
  if (!counts) return;
  const items: { id: string; current: boolean }[] = body.items;
  const expected = model.liveOf(session.owner).map(({ id }) => ({ id, current: id === session.id }));
  const shownItems = items.map(({ id, current }) => ({ id, current }));
  assert.deepEqual(shownItems.toSorted(byId), expected.toSorted(byId));
});

const end = withToken('end', [back], ([which]) => async ({ app, model, session, access, counts }) => {
  const other = at(model.sessions, which) ?? session;
  const { status } = await app.request('DELETE', `/me/sessions/${other.id}`, { token: access.token });
  const theirs = other.owner === session.owner && model.isLive(other);
  assert.equal(status, counts ? (theirs ? 204 : 404) : 401);
  if (status === 204) other.ended = true;
});

const endOthers = withToken('end others', [], () => async ({ app, model, session, access, counts }) => {
  const { status } = await app.request('DELETE', '/me/sessions', { token: access.token });
  assert.equal(status, counts ? 204 : 401);
  if (counts) model.endOthers(session);
});

const change = withToken(
  'change password',
  [password, password],
  ([old, fresh]) =>
    async ({ app, model, session, access, counts }) => {
      const json = { current_password: old, new_password: fresh };
      const { status } = await app.request('PUT', '/me/password', { json, token: access.token });
      const changes = counts && session.owner.password === old;
      assert.equal(status, changes ? 204 : 401);
      if (!changes) return;
      session.owner.password = fresh;
      model.endOthers(session);
    },
);

const remove = withToken(
  'delete',
  [password],
  ([secret]) =>
    async ({ app, model, session, access, counts }) => {
      const { status } = await app.post('/me/deletion', { password: secret }, { token: access.token });
      const removes = counts && session.owner.password === secret;
      assert.equal(status, removes ? 204 : 401);
      if (removes) model.remove(session.owner);
    },
);

const history = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: register },
    { weight: 8, arbitrary: login },
    { weight: 16, arbitrary: renew },
    { weight: 8, arbitrary: wait },
    { weight: 4, arbitrary: look },
    { weight: 2, arbitrary: logout },
    { weight: 2, arbitrary: list },
    { weight: 2, arbitrary: end },
    { weight: 1, arbitrary: endOthers },
    { weight: 2, arbitrary: change },
    { weight: 1, arbitrary: remove },
  ),
  { minLength: 10, maxLength: 40, size: 'max' },
);

test('random histories over two nodes end as the rules say', async t => {
  const nodes = await startNodes(t, { settings: { MAX_SESSIONS: String(rules.maxSessions) } });
  await fc.assert(
    fc.asyncProperty(history, async steps => {
      await nodes.database.transaction(tx => tx.deleteFrom('users').execute());
      const model = new SessionModel();
      // Tokens know whole seconds: both clocks begin with one.
      nodes.time.turn(1 - (nodes.time.monotonic() % 1000) / 1000);
      for (const address of emails) {
        await nodes.a.register(address, passwords[0]);
        model.people.push({ email: address, password: passwords[0] ?? '' });
      }
      for (const step of steps) {
        await step(nodes, model);
        // No two events are at the same time: which session is the older one is plain.
        nodes.time.turn(0.001);
        model.now++;
      }
      await compare(nodes, model);
    }),
    { numRuns: 40 },
  );
});

/** Every access token that there ever was, on both nodes, and every session that is live. */
async function compare({ a, b, database, time }: Nodes, model: SessionModel): Promise<void> {
  for (const session of model.sessions) {
    for (const access of session.accessTokens) {
      const expected = model.isInTime(access) && model.isLive(session) ? 200 : 401;
      assert.deepEqual([await me(a, access.token), await me(b, access.token)], [expected, expected]);
    }
  }
  const rows = await database.db
    .selectFrom('sessions')
    .where('refresh_expires_at', '>', time.clock()())
    .select('id')
    .execute();
  const live = model.people.flatMap(person => model.liveOf(person));
  assert.deepEqual(rows.map(({ id }) => id).sort(), live.map(({ id }) => id).sort());
}

/** Counted from the last. */
function at<Item>(items: readonly Item[], index: number): Item | undefined {
  return items.at(-1 - (index % Math.max(items.length, 1)));
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : 1;
}

function days(...counts: readonly number[]): number[] {
  return counts.map(count => count * 86_400_000);
}
