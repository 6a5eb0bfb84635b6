import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import test from 'node:test';
import { newRefreshToken } from '../../src/auth/refresh-tokens.ts';
import { openDatabase } from '../../src/database.ts';
import { startApp } from '../helpers/app.ts';
import type { Answer, Client } from '../helpers/client.ts';
import { contentOf, serviceFolder, stored, withDatabase } from '../helpers/database.ts';
import { logIn, me, type Nodes, refresh, sessionOf, startNodes, type Tokens } from '../helpers/nodes.ts';
import { ServiceProcess } from '../helpers/process.ts';
import { wrappedDatabase } from '../helpers/wrapped-database.ts';

test('the current token gives a successor, for as long as the client goes on', async t => {
  const { a, b, time } = await startNodes(t);
  const person = await a.register();
  let tokens = await logIn(a, person);
  const seen = new Set([tokens.refresh_token]);
  const sid = sessionOf(tokens);
  for (let i = 0; i < 6; i++) {
    time.turn(86_400);
    const node = i % 2 === 0 ? b : a;
    const { status, body, headers } = await refresh(node, tokens.refresh_token);
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body), [
      'access_token',
      'token_type',
      'expires_in',
      'refresh_token',
      'refresh_expires_in',
    ]);
    assert.match(body.refresh_token, /^[A-Za-z0-9_-]{64}$/);
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(sessionOf(body), sid);
    assert.deepEqual([await me(a, body.access_token), await me(b, body.access_token)], [200, 200]);
    seen.add(body.refresh_token);
    tokens = body;
  }
  assert.equal(seen.size, 7);
});

/** Seconds after the rotation at which the token before is used, and whether it still counts. */
const moments: readonly (readonly [seconds: number, counts: boolean])[] = [
  [0, true],
  [9.999, true],
  [10, true],
  [10.001, false],
  [10.1, false],
  [3600, false],
];

for (const [seconds, counts] of moments) {
  test(`the token before, ${seconds} s after: ${counts ? 'the same successor' : 'the session is over'}`, async t => {
    const nodes = await startNodes(t);
    const { a, b, time } = nodes;
    const first = await logIn(a, await a.register());
    const { body: second } = await refresh(a, first.refresh_token);
    time.turn(seconds);
    const again = await refresh(b, first.refresh_token);
    if (!counts) {
      expectInvalid(again);
      await expectOver(nodes, first, second);
      return;
    }
    assert.equal(again.status, 200);
    assert.equal(again.body.refresh_token, second.refresh_token);
    assert.equal(await me(a, again.body.access_token), 200);
    assert.deepEqual(reuses(nodes), []);
    // Whoever got it twice goes on with it, and the ten seconds are not begun anew.
    assert.equal((await refresh(b, second.refresh_token)).status, 200);
  });
}

test('new tokens have nothing in common, and each bit of them is one as often as not', () => {
  const tokens = Array.from({ length: 4000 }, () => Buffer.from(newRefreshToken().token, 'base64url'));
  assert.equal(tokens[0]?.length, 48);
  // The part that finds the session, and twice the half of the part that is the secret.
  for (const from of [0, 16, 32])
    assert.equal(new Set(tokens.map(token => token.toString('hex', from, from + 16))).size, tokens.length);
  for (let bit = 0; bit < 48 * 8; bit++) {
    const ones = tokens.filter(token => ((token[bit >> 3] ?? 0) >> (bit & 7)) & 1).length;
    // Eight standard deviations.
    assert.ok(Math.abs(ones - 2000) < 253, `bit ${bit}: ${ones}`);
  }
});

test('a repeat does not begin the ten seconds anew', async t => {
  const nodes = await startNodes(t);
  const { a, b, time } = nodes;
  const first = await logIn(a, await a.register());
  const { body: second } = await refresh(a, first.refresh_token);
  time.turn(9);
  assert.equal((await refresh(b, first.refresh_token)).status, 200);
  time.turn(1.1);
  expectInvalid(await refresh(b, first.refresh_token));
  await expectOver(nodes, first, second);
});

test('when the successor has been used, the token before it ends the session for both, at once', async t => {
  const nodes = await startNodes(t);
  const { a, b } = nodes;
  const person = await a.register();
  const bystander = await logIn(a, person);
  const first = await logIn(a, person);
  const { body: second } = await refresh(a, first.refresh_token);
  const { body: third } = await refresh(a, second.refresh_token);
  expectInvalid(await refresh(b, first.refresh_token));
  await expectOver(nodes, first, second, third);
  assert.deepEqual(reuses(nodes), [
    { event: 'refresh_token_reuse', session_id: sessionOf(first), user_id: person.id },
  ]);
  assert.equal(await me(b, bystander.access_token), 200);
  assert.equal((await refresh(b, bystander.refresh_token)).status, 200);
  // It was told once; there is nothing left to misuse.
  for (const { refresh_token } of [first, second, third]) expectInvalid(await refresh(a, refresh_token));
  assert.equal(reuses(nodes).length, 1);
  const logged = JSON.stringify([...a.logged, ...b.logged]);
  for (const { refresh_token, access_token } of [first, second, third]) {
    assert.ok(!logged.includes(refresh_token) && !logged.includes(access_token));
  }
});

/** What may come between the look at a token that has had its time and the end of its session. */
const meanwhiles: readonly (readonly [what: string, told: number, ask: Meanwhile])[] = [
  ['a logout', 0, (b, _, { access_token: token }) => b.post('/logout', undefined, { token })],
  ['the same on another node', 1, (b, { refresh_token }) => refresh(b, refresh_token)],
  ['a use of the current token', 1, (b, _, { refresh_token }) => refresh(b, refresh_token)],
];
type Meanwhile = (b: Client, first: Tokens, last: Tokens) => Promise<Answer>;

for (const [what, told, ask] of meanwhiles) {
  test(`a token that has had its time, and meanwhile ${what}: over, and told ${told} times`, async t => {
    const nodes = await startNodes(t);
    const { b, url } = nodes;
    const { clock, engine } = b.world;
    let statements = 0;
    const database = await openDatabase(url);
    const a = await startApp(t, {
      ...{ clock, engine },
      database: wrappedDatabase(database, async (run, work) => {
        if (++statements === 2) await ask(b, first, last);
        return await run(work);
      }),
    });
    t.after(() => database.close());
    const first = await logIn(b, await b.register());
    const { body: second } = await refresh(b, first.refresh_token);
    const { body: last } = await refresh(b, second.refresh_token);
    expectInvalid(await refresh(a, first.refresh_token));
    assert.equal(statements, 2);
    await expectOver({ ...nodes, a }, first, second, last);
    assert.equal(reuses({ ...nodes, a }).length, told);
  });
}

test('the oldest token of a long life ends it too', async t => {
  const nodes = await startNodes(t);
  const first = await logIn(nodes.a, await nodes.a.register());
  let last = first;
  for (let i = 0; i < 5; i++) last = (await refresh(nodes.a, last.refresh_token)).body;
  expectInvalid(await refresh(nodes.b, first.refresh_token));
  await expectOver(nodes, first, last);
});

/** What somebody makes of a token of theirs who does not know its form. */
const strangers: readonly (readonly [name: string, make: (token: string) => string])[] = [
  ['nothing', () => ''],
  ['a word', () => 'null'],
  ['zeros', () => 'A'.repeat(64)],
  ['cut by one', token => token.slice(0, -1)],
  ['cut by four', token => token.slice(0, -4)],
  ['the part that all of the session share', token => token.slice(0, 21)],
  ['its own part', token => token.slice(21)],
  ['one more', token => `${token}A`],
  ['twice', token => token + token],
  ['padded', token => `${token}=`],
  ['a space before', token => ` ${token}`],
  ['a newline after', token => `${token}\n`],
  ['a NUL after', token => `${token}\0`],
  ['a point', token => `${token.slice(0, 32)}.${token.slice(32)}`],
  ['another first character', token => `${token.startsWith('A') ? 'B' : 'A'}${token.slice(1)}`],
  ['the halves exchanged', token => token.slice(32) + token.slice(0, 32)],
  ['reversed', token => [...token].reverse().join('')],
  ['in the other alphabet', () => '+/'.repeat(32)],
  ['in hex', token => Buffer.from(token, 'base64url').toString('hex')],
  ['not ASCII', token => `${token.slice(0, -1)}é`],
  ['SQL', () => "' or 1=1 --".padEnd(64, 'x')],
  ['15 KiB', token => token.repeat(240)],
];

test('what was never a token is refused and harms no session', async t => {
  const nodes = await startNodes(t);
  const { a, b } = nodes;
  const tokens = await logIn(a, await a.register());
  const { body: current } = await refresh(a, tokens.refresh_token);
  const before = await rows(nodes);
  for (const [name, make] of strangers) {
    const text = make(current.refresh_token);
    assert.notEqual(text, current.refresh_token, name);
    expectInvalid(await refresh(b, text), name);
  }
  for (const json of [{}, { refresh_token: null }, { refresh_token: [current.refresh_token] }, [], 'x']) {
    assert.equal((await a.post('/refresh', json)).status, 422);
  }
  assert.deepEqual(await rows(nodes), before);
  assert.deepEqual(reuses(nodes), []);
  assert.equal((await refresh(b, current.refresh_token)).status, 200);
});

test('the shared part with another own part ends the session: only who once had a token knows it', async t => {
  for (const change of [
    (token: string) => token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A'),
    (token: string) =>
      Buffer.concat([Buffer.from(token, 'base64url').subarray(0, 16), Buffer.alloc(32)]).toString(
        'base64url',
      ),
  ]) {
    const nodes = await startNodes(t);
    const tokens = await logIn(nodes.a, await nodes.a.register());
    expectInvalid(await refresh(nodes.b, change(tokens.refresh_token)));
    await expectOver(nodes, tokens);
    assert.equal(reuses(nodes).length, 1);
  }
});

test('the database has hashes and a nonce, from which nobody can make a token', async t => {
  const nodes = await startNodes(t);
  const { a, url } = nodes;
  const person = await a.register();
  const first = await logIn(a, person);
  const { body: second } = await refresh(a, first.refresh_token);
  const { body: third } = await refresh(a, second.refresh_token);
  const content = Buffer.concat([await stored(url), Buffer.from(JSON.stringify(await rows(nodes)))]);
  assert.ok(content.includes(person.email) && content.includes(hash(own(third))), 'the search finds nothing');
  const parts = (token: Buffer): Buffer[] => [token, token.subarray(0, 16), token.subarray(16)];
  for (const { refresh_token, access_token } of [first, second, third]) {
    assert.ok(!content.includes(access_token));
    assert.ok(!content.includes(access_token.split('.')[2] ?? '?'));
    for (const bytes of parts(Buffer.from(refresh_token, 'base64url'))) {
      for (const form of ['base64url', 'base64', 'hex'] as const) {
        assert.ok(!content.includes(bytes.toString(form)), form);
      }
      assert.ok(!content.includes(bytes), 'raw');
    }
  }

  const [row] = await rows(nodes);
  assert.ok(row);
  const nonce = row.refresh_nonce ?? '';
  const made = (key: Buffer | string): string => hash(createHmac('sha256', key).update(nonce).digest());
  // With the token before it and the nonce it can be made: that is what a repeat does.
  assert.equal(made(own(second)), row.refresh_hash);
  const known = Object.values(row).filter(value => typeof value === 'string');
  for (const value of known) {
    for (const key of [value, Buffer.from(value, 'base64url')]) assert.notEqual(made(key), row.refresh_hash);
    expectInvalid(await refresh(a, value));
  }
  assert.equal(await me(a, third.access_token), 200);
});

for (const parallel of [2, 10, 50]) {
  test(`${parallel} uses of one token at once, over two nodes: one lineage, nobody logged out`, async t => {
    const nodes = await startNodes(t);
    let { refresh_token } = await logIn(nodes.a, await nodes.a.register());
    for (let round = 0; round < 4; round++) {
      const answers = await Promise.all(
        Array.from({ length: parallel }, (_, i) => refresh(i % 2 === 0 ? nodes.a : nodes.b, refresh_token)),
      );
      for (const { status, text } of answers) assert.equal(status, 200, text);
      const [next, ...others] = new Set(answers.map(({ body }) => body.refresh_token));
      assert.ok(next !== undefined && others.length === 0 && next !== refresh_token);
      const { body } = answers.at(-1) ?? {};
      assert.deepEqual(
        [await me(nodes.a, body.access_token), await me(nodes.b, body.access_token)],
        [200, 200],
      );
      refresh_token = next;
    }
    assert.equal((await rows(nodes)).length, 1);
  });
}

test('kill -9 after a rotation, and a restart: the rule holds', async t => {
  const folder = await serviceFolder(t);
  const settings = { NODE_ENV: 'test', BCRYPT_COST: '4' };
  const killed = async (service: ServiceProcess): Promise<void> => {
    service.child.kill('SIGKILL');
    assert.equal((await service.ended()).code, null);
  };
  const service = new ServiceProcess(t, folder, settings);
  const client = await service.client();
  const person = await client.register();
  const [early, late, used] = await Promise.all([1, 2, 3].map(() => logIn(client, person)));
  assert.ok(early && late && used);
  const rotated = async (tokens: Tokens): Promise<Tokens> =>
    (await refresh(client, tokens.refresh_token)).body;
  const [earlyNext, lateNext, usedNext] = [await rotated(early), await rotated(late), await rotated(used)];
  const usedLast = await rotated(usedNext);
  await killed(service);

  // How long the start takes is not what decides: the rotation is put so far back or ahead that no machine is too slow.
  await shiftRotation(folder, sessionOf(early), 3600);
  await shiftRotation(folder, sessionOf(late), -10.1);
  await shiftRotation(folder, sessionOf(used), 3600);

  const again = new ServiceProcess(t, folder, settings);
  const restarted = await again.client();
  const repeat = await refresh(restarted, early.refresh_token);
  assert.deepEqual([repeat.status, repeat.body.refresh_token], [200, earlyNext.refresh_token]);
  assert.equal((await refresh(restarted, earlyNext.refresh_token)).status, 200);
  for (const [old, next] of [
    [late, lateNext],
    [used, usedLast],
  ] as const) {
    assert.equal(await me(restarted, next.access_token), 200);
    expectInvalid(await refresh(restarted, old.refresh_token));
    expectInvalid(await refresh(restarted, next.refresh_token));
    assert.equal(await me(restarted, next.access_token), 401);
  }
  assert.equal(await me(restarted, earlyNext.access_token), 200);
});

async function shiftRotation(folder: string, sid: string, seconds: number): Promise<void> {
  await withDatabase(contentOf(folder).url, database =>
    database.transaction(async tx => {
      const session = tx.selectFrom('sessions').where('id', '=', sid).select('refreshed_at');
      const { refreshed_at: before } = await session.executeTakeFirstOrThrow();
      assert.ok(before);
      const after = new Date(before.getTime() + seconds * 1000);
      await tx.updateTable('sessions').where('id', '=', sid).set({ refreshed_at: after }).execute();
    }),
  );
}

async function rows({ database }: Nodes) {
  return await database.db.selectFrom('sessions').selectAll().execute();
}

function reuses({ a, b }: Nodes): object[] {
  return [...a.logged, ...b.logged]
    .filter(line => line['event'] === 'refresh_token_reuse')
    .map(({ event, session_id, user_id }) => ({ event, session_id, user_id }));
}

function expectInvalid({ status, body, headers }: Answer, name = ''): void {
  assert.deepEqual([status, body.code], [401, 'invalid_token'], name);
  assert.equal(headers.get('www-authenticate'), 'Bearer realm="plinth", error="invalid_token"');
}

/** No token of the session is good for anything, on either node. */
async function expectOver({ a, b }: Nodes, ...all: readonly Tokens[]): Promise<void> {
  for (const client of [a, b] satisfies Client[]) {
    for (const { access_token, refresh_token } of all) {
      assert.equal(await me(client, access_token), 401);
      expectInvalid(await refresh(client, refresh_token));
    }
  }
}

function own({ refresh_token }: Tokens): Buffer {
  return Buffer.from(refresh_token, 'base64url').subarray(16);
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}
