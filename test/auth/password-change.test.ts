import assert from 'node:assert/strict';
import test from 'node:test';
import type { Answer, Client, Person } from '../helpers/client.ts';
import { gatedEngine } from '../helpers/gated-engine.ts';
import { logIn, me, refresh, sessionOf, startNodes, type Tokens } from '../helpers/nodes.ts';

const next = 'another good passphrase';

test('a new password counts at once; this session goes on, every other ends', async t => {
  const { a, b, time } = await startNodes(t);
  const person = await a.register();
  const asking = await logIn(a, person);
  const others = [await logIn(a, person), await logIn(b, person)];
  const before = (await a.get('/me', { token: asking.access_token })).body;
  time.turn(1);
  const { status, text } = await change(b, asking, person.password, next);
  assert.deepEqual([status, text], [204, '']);
  for (const { access_token, refresh_token } of others) {
    assert.deepEqual([await me(a, access_token), await me(b, access_token)], [401, 401]);
    assert.equal((await refresh(a, refresh_token)).status, 401);
  }
  const after = (await a.get('/me', { token: asking.access_token })).body;
  assert.deepEqual(after, { ...before, updated_at: '2026-03-01T12:00:01.000Z' });
  const renewed = await refresh(a, asking.refresh_token);
  assert.deepEqual([renewed.status, sessionOf(renewed.body)], [200, sessionOf(asking)]);
  for (const node of [a, b]) {
    assert.deepEqual(await tryLogin(node, person, person.password), [401, 'invalid_credentials']);
    assert.deepEqual(await tryLogin(node, person, next), [200, undefined]);
  }
});

test('a wrong current password changes nothing', async t => {
  const { a, b } = await startNodes(t);
  const person = await a.register();
  const [asking, other] = [await logIn(a, person), await logIn(b, person)];
  for (const wrong of ['', 'not the right one', next, `${person.password} `, person.password.toUpperCase()]) {
    const { status, body, headers } = await change(a, asking, wrong, next);
    assert.deepEqual([status, body.code], [401, 'invalid_credentials'], wrong);
    // A client that refreshes on `invalid_token` and only then does not begin to.
    assert.doesNotMatch(headers.get('www-authenticate') ?? '', /invalid_token/);
  }
  assert.deepEqual(await tryLogin(b, person, person.password), [200, undefined]);
  assert.deepEqual(await tryLogin(b, person, next), [401, 'invalid_credentials']);
  for (const { access_token, refresh_token } of [asking, other]) {
    assert.equal(await me(b, access_token), 200);
    assert.equal((await refresh(a, refresh_token)).status, 200);
  }
});

const current = 'a very good passphrase';

/** Bodies that are refused whatever the person's password is, and all that is said against each. */
const refused: readonly (readonly [name: string, json: unknown, faults: readonly string[]])[] = [
  ['too short', { current_password: current, new_password: 'x7#kq' }, ['/new_password too_short']],
  [
    'most used',
    { current_password: current, new_password: 'password123' },
    ['/new_password password_blocklisted'],
  ],
  [
    'made of the email',
    { current_password: current, new_password: 'lovelace.1815!' },
    ['/new_password password_guessable'],
  ],
  [
    'made of the service',
    { current_password: current, new_password: 'plinth-2026' },
    ['/new_password password_guessable'],
  ],
  ['too long', { current_password: current, new_password: 'ab'.repeat(129) }, ['/new_password too_long']],
  [
    'half a pair',
    { current_password: current, new_password: 'a fine phrase \ud800' },
    ['/new_password ill_formed_unicode'],
  ],
  [
    'both wrong',
    { current_password: 'x'.repeat(257), new_password: 'short' },
    ['/current_password too_long', '/new_password too_short'],
  ],
  ['empty', {}, ['/current_password required', '/new_password required']],
  [
    'of other types',
    { current_password: 1, new_password: null },
    ['/current_password wrong_type', '/new_password wrong_type'],
  ],
  [
    'more than is asked',
    { current_password: current, new_password: next, user_id: 'x' },
    ['/user_id unknown_field'],
  ],
];

test('a new password goes through what one at registration does', async t => {
  const { a } = await startNodes(t);
  const person = await a.register('lovelace@example.com', current);
  const [asking, other] = [await logIn(a, person), await logIn(a, person)];
  for (const [name, json, expected] of refused) {
    await t.test(name, async () => {
      const { status, body } = await a.request('PUT', '/me/password', { json, token: asking.access_token });
      assert.deepEqual([status, body.code], [422, 'validation_failed']);
      const faults = body.errors.map(
        (one: { pointer: string; code: string }) => `${one.pointer} ${one.code}`,
      );
      assert.deepEqual(faults.sort(), expected);
    });
  }
  assert.equal(await me(a, other.access_token), 200);
  assert.deepEqual(await tryLogin(a, person, current), [200, undefined]);
  // A blocklisted one that is also asked for with a wrong current password is refused before any hash is computed.
  assert.equal((await change(a, asking, 'wrong', 'password123')).status, 422);
});

test('a login with the old password that is checked before the change and opened after it opens nothing', async t => {
  const engine = await gatedEngine(t);
  const { a, b, database } = await startNodes(t, { engine });
  const person = await a.register();
  const asking = await logIn(a, person);
  const held = engine.hold(3);
  const logins = [a, b, b].map(node => tryLogin(node, person, person.password));
  await held;
  assert.equal((await change(a, asking, person.password, next)).status, 204);
  engine.release();
  for (const answer of await Promise.all(logins)) assert.deepEqual(answer, [401, 'invalid_credentials']);
  const rows = await database.db.selectFrom('sessions').select('id').execute();
  assert.deepEqual(
    rows.map(({ id }) => id),
    [sessionOf(asking)],
  );
});

test('no session that was opened by the old password outlives the change, however they meet', async t => {
  const { a, b } = await startNodes(t);
  const person = await a.register();
  let [password, other] = [person.password, next];
  let together = 0;
  for (let round = 0; round < 20; round++) {
    const asking = await logIn(a, { email: person.email, password });
    const attempts = Array.from({ length: 6 }, async (_, i) => {
      for (let wait = 0; wait < i * 2; wait++) await new Promise(setImmediate);
      const node = i % 2 === 0 ? a : b;
      return await node.post('/login', { email: person.email, password });
    });
    const node = round % 2 === 0 ? a : b;
    assert.equal((await change(node, asking, password, other)).status, 204);
    const answers = await Promise.all(attempts);
    for (const { status, body } of answers) {
      assert.ok(status === 200 || body.code === 'invalid_credentials');
      if (status !== 200) continue;
      together++;
      assert.equal(await me(a, body.access_token), 401);
      assert.equal((await refresh(b, body.refresh_token)).status, 401);
    }
    assert.equal(await me(b, asking.access_token), 200);
    [password, other] = [other, password];
  }
  assert.ok(together > 0, 'no login was ever in time');
});

test('of two changes at once one wins, and the other is told that its password is wrong', async t => {
  const engine = await gatedEngine(t);
  const { a, b } = await startNodes(t, { engine });
  const person = await a.register();
  for (const same of [true, false]) {
    const password = same ? person.password : 'the password of the winner';
    const one = await logIn(a, { email: person.email, password });
    const two = same ? one : await logIn(b, { email: person.email, password });
    const held = engine.hold(2);
    const wishes = [same ? 'the password of the winner' : 'number three is fine', 'number four is fine too'];
    const changing = [change(a, one, password, wishes[0] ?? ''), change(b, two, password, wishes[1] ?? '')];
    await held;
    engine.release();
    const answers = await Promise.all(changing);
    const winner = answers.findIndex(({ status }) => status === 204);
    const [loser] = answers.filter((_, i) => i !== winner);
    assert.deepEqual([loser?.status, loser?.body.code], [401, 'invalid_credentials']);
    const ends = await Promise.all(wishes.map(wish => tryLogin(a, person, wish)));
    assert.deepEqual(
      ends.map(([status]) => status),
      [0, 1].map(i => (i === winner ? 200 : 401)),
    );
    if (!same) {
      const live = await Promise.all([one, two].map(({ access_token }) => me(b, access_token)));
      assert.deepEqual(
        live,
        [0, 1].map(i => (i === winner ? 200 : 401)),
      );
    } else if (winner === 1) {
      assert.equal((await change(a, one, wishes[1] ?? '', wishes[0] ?? '')).status, 204);
    }
  }
});

test('a session that was ended while it asked changes nothing', async t => {
  const engine = await gatedEngine(t);
  const { a, b } = await startNodes(t, { engine });
  const person = await a.register();
  const [owner, thief] = [await logIn(a, person), await logIn(b, person)];
  const held = engine.hold(1);
  const changing = change(b, thief, person.password, next);
  await held;
  const ended = await a.request('DELETE', '/me/sessions', { token: owner.access_token });
  assert.equal(ended.status, 204);
  engine.release();
  const { status, body } = await changing;
  assert.deepEqual([status, body?.code], [401, 'invalid_token']);
  assert.equal(await me(a, owner.access_token), 200);
  assert.deepEqual(await tryLogin(a, person, person.password), [200, undefined]);
});

async function change(client: Client, asking: Tokens, old: string, fresh: string): Promise<Answer> {
  return await client.request('PUT', '/me/password', {
    token: asking.access_token,
    json: { current_password: old, new_password: fresh },
  });
}

async function tryLogin(client: Client, { email }: Person, password: string): Promise<unknown[]> {
  const { status, body } = await client.post('/login', { email, password });
  return [status, body.code];
}

test('who has a session and not the password cannot use up the new passwords of the owner', async t => {
  const { a, b } = await startNodes(t, { settings: { NEW_PASSWORD_LIMIT: '3' } });
  const person = await a.register();
  const [thief, own] = [await logIn(a, person), await logIn(b, person)];
  for (let count = 0; count < 5; count++) await change(a, thief, 'not the right one', next);
  assert.equal((await change(a, thief, person.password, next)).status, 429);
  assert.equal((await change(b, own, person.password, next)).status, 204);
});
