import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { openKeyring } from '../../src/auth/keyring.ts';
import { createKeyOperations, type KeyOperations, KeyRefused, sealContext } from '../../src/auth/keys.ts';
import type { Database } from '../../src/database.ts';
import { createVault } from '../../src/vault.ts';
import { startApp, testSecret } from '../helpers/app.ts';
import type { Client } from '../helpers/client.ts';
import { contentOf, serviceFolder, stored } from '../helpers/database.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { logIn, me, type Nodes, startNodes, type Tokens } from '../helpers/nodes.ts';
import { plinth } from '../helpers/plinth.ts';
import { ServiceProcess } from '../helpers/process.ts';

/** Seconds: between the publication of a key and its first signature, and for which a node may not have heard. */
const lead = 660;
const staleness = 30;

test('a new key is published before it signs, and an old one until its last token has expired', async t => {
  const nodes = await startNodes(t);
  const { a, b, time } = nodes;
  const person = await a.register();
  const operations = operator(nodes);
  const [old = ''] = await published(a);
  const early = await logIn(a, person);

  const fresh = (await operations.rotate()).id;
  time.turn(staleness);
  assert.deepEqual([await published(a), await published(b)], [[old], [old]], 'they look no sooner');
  time.turn(0.001);
  for (const node of [a, b]) {
    assert.deepEqual((await published(node)).sort(), [old, fresh].sort());
    assert.equal(kidOf(await logIn(node, person)), old);
  }
  time.turn(lead - staleness - 1);
  const last = await logIn(b, person);
  assert.equal(kidOf(last), old);
  time.turn(1);
  const next = await logIn(a, person);
  assert.equal(kidOf(next), fresh);

  // 899 s later the last token of the old key is in its last second; the early one expired long ago.
  time.turn(898);
  assert.deepEqual([await me(a, last.access_token), await me(b, last.access_token)], [200, 200]);
  assert.equal(await me(a, early.access_token), 401);
  time.turn(61.9);
  for (const node of [a, b]) assert.ok((await published(node)).includes(old));
  // Exactly then, and not when a node looks again.
  time.turn(0.1);
  assert.deepEqual([await published(a), await published(b)], [[fresh], [fresh]]);
  assert.equal(await me(a, last.access_token), 401);
  assert.equal(kidOf(await logIn(b, person)), fresh);
});

test('what a retired key signed does not count after its time, whatever the token says', async t => {
  const nodes = await startNodes(t, { settings: { ACCESS_TOKEN_TTL: '3600' } });
  const { a, b, time } = nodes;
  const person = await a.register();
  const token = (await logIn(a, person)).access_token;
  // The operator retires with a shorter life of tokens in mind than the service has: the key goes by what was said.
  const operations = operator(nodes, 600);
  await operations.rotate();
  time.turn(lead);
  assert.equal(await me(a, token), 200);
  time.turn(600 + 60 - 0.001);
  assert.deepEqual([await me(a, token), await me(b, token)], [200, 200]);
  time.turn(0.001);
  assert.deepEqual([await me(a, token), await me(b, token)], [401, 401]);
});

test('two rotations under load: no valid token fails, and caches of the public keys have every key in time', async t => {
  const nodes = await startNodes(t, { skew: 2, settings: { MAX_SESSIONS: '1000' } });
  const { a, b, time, database } = nodes;
  const person = await a.register();
  const operations = operator(nodes);
  const issued: { readonly token: string; readonly at: number }[] = [];
  const caches = [new PublicKeys(a), new PublicKeys(b)];
  const kids = new Set<string>();
  const step = 29;
  let checked = 0;
  for (let now = 0; now < 120 * step; now += step) {
    if (now === step * 3 || now === step * 60) await operations.rotate();
    const tokens = await logIn((now / step) % 2 === 0 ? a : b, person);
    kids.add(kidOf(tokens));
    issued.push({ token: tokens.access_token, at: now });
    // A sample of all ages, the newest always.
    const valid = issued.filter(({ at }) => now - at < 895);
    const sample = valid.filter((_, i) => i === valid.length - 1 || i % 8 === (now / step) % 8);
    const answers = sample.flatMap(({ token }) => [me(a, token), me(b, token)]);
    for (const status of await Promise.all(answers)) assert.equal(status, 200, `${now} s`);
    for (const cache of caches) {
      const known = await cache.at(now);
      for (const { token } of sample)
        assert.ok(known.has(String(decodeProtectedHeader(token).kid)), `${now} s`);
    }
    checked += answers.length;
    time.turn(step);
  }
  assert.equal(kids.size, 3);
  assert.equal((await published(a)).length, 1);
  assert.ok(checked > 900, `${checked}`);
  assert.equal((await database.db.selectFrom('signing_keys').select('id').execute()).length, 3);
});

test('a revoked key counts for nothing as soon as a node looks, for tokens that it knows by heart too', async t => {
  const nodes = await startNodes(t);
  const { a, b, time } = nodes;
  const person = await a.register();
  const tokens = await logIn(a, person);
  assert.deepEqual([await me(a, tokens.access_token), await me(b, tokens.access_token)], [200, 200]);
  const [old = ''] = await published(a);
  await operator(nodes).revoke(old);
  time.turn(staleness + 0.001);
  for (const node of [a, b]) {
    const { status, body } = await node.get('/me', { token: tokens.access_token });
    assert.deepEqual([status, body.code], [401, 'invalid_token']);
    assert.ok(!(await published(node)).includes(old));
  }
  // The sessions are not what was stolen: they go on.
  const { status, body } = await a.post('/refresh', { refresh_token: tokens.refresh_token });
  assert.equal(status, 200);
  assert.notEqual(kidOf(body), old);
  assert.equal(await me(b, body.access_token), 200);
});

test('there is always a key to sign with, whatever is retired or revoked in the middle of a rotation', async t => {
  for (const withdraw of ['retire', 'revoke'] as const) {
    for (const which of ['old', 'fresh'] as const) {
      const nodes = await startNodes(t);
      const { a, time } = nodes;
      const person = await a.register();
      const operations = operator(nodes);
      const [old = ''] = await published(a);
      const kids = { old, fresh: (await operations.rotate()).id };
      time.turn(100);
      const refused = await operations[withdraw](kids[which]).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (refused) assert.ok(refused instanceof KeyRefused && withdraw === 'retire');
      for (const seconds of [staleness + 1, 300, lead, 86_400]) {
        time.turn(seconds);
        const tokens = await logIn(a, person);
        assert.equal(await me(a, tokens.access_token), 200, `${withdraw} the ${which} one`);
        assert.ok((await published(a)).includes(kidOf(tokens)));
        if (withdraw === 'revoke') assert.notEqual(kidOf(tokens), kids[which]);
      }
    }
  }
});

test('a key that was retired in the middle signs no more; what it signed counts on', async t => {
  const nodes = await startNodes(t);
  const { a, b, time } = nodes;
  const person = await a.register();
  const operations = operator(nodes);
  const [old = ''] = await published(a);
  await assert.rejects(operations.retire(old), KeyRefused);
  await operations.rotate();
  time.turn(lead + staleness + 1);
  const second = await logIn(a, person);
  await operations.rotate();
  time.turn(lead + staleness + 1);
  const third = await logIn(b, person);
  assert.notEqual(kidOf(second), kidOf(third));
  await assert.rejects(operations.retire(kidOf(second)), KeyRefused, 'it is retired already');
  await assert.rejects(operations.retire(kidOf(third)), KeyRefused, 'it is the only one');
  await assert.rejects(operations.retire('unknown'), KeyRefused);
  await assert.rejects(operations.revoke('unknown'), KeyRefused);
  assert.deepEqual([await me(a, second.access_token), await me(b, third.access_token)], [200, 200]);
});

test('an unknown key id costs no look-up in the database', async t => {
  const { world } = await startApp(t);
  const { database, count } = countingReads(world.database);
  const app = await startApp(t, { database });
  const { token } = await app.person();
  assert.equal((await app.get('/me', { token })).status, 200);
  const [, claims, signature] = token.split('.');
  const before = count();
  assert.ok(before > 0);
  for (let i = 0; i < 50; i++) {
    const header = btoa(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: `unknown ${i}` }));
    const forged = `${header.replace(/=+$/, '')}.${claims}.${signature}`;
    assert.equal((await app.get('/me', { token: forged })).status, 401);
  }
  assert.equal(count(), before);
  assert.equal((await app.get('/me', { token })).status, 200);
  assert.equal(count(), before + 1);
});

test('a keyring looks again once for many who ask, and goes on with what it has when it cannot', async t => {
  const nodes = await startNodes(t);
  const { time } = nodes;
  const { database, count, fail } = countingReads(nodes.database);
  const failures: unknown[] = [];
  const keyring = await openKeyring({
    db: database.db,
    vault: createVault(testSecret),
    clock: time.clock(),
    monotonic: time.monotonic,
    onChange: () => undefined,
    onFailure: cause => failures.push(cause),
  });
  assert.equal(count(), 1);
  const { kid } = await keyring.signer();
  time.turn(staleness);
  await Promise.all(Array.from({ length: 50 }, () => keyring.verifier('unknown')));
  assert.equal(count(), 1);
  time.turn(0.001);
  await Promise.all(Array.from({ length: 50 }, () => keyring.verifier(kid)));
  assert.equal(count(), 2);
  fail(true);
  time.turn(staleness + 1);
  assert.ok(await keyring.verifier(kid));
  assert.ok((await keyring.signer()).kid === kid);
  assert.deepEqual([failures.length, count()], [1, 3]);
  fail(false);
  const { id } = await operator(nodes).rotate();
  time.turn(staleness + 1);
  assert.ok(await keyring.verifier(id));
});

test('nodes that start at once on an empty database sign with one key', async t => {
  const { database } = (await startApp(t)).world;
  await database.transaction(tx => tx.deleteFrom('signing_keys').execute());
  const apps = await Promise.all([1, 2, 3].map(() => startApp(t, { database })));
  const keys = await Promise.all(apps.map(published));
  assert.equal(keys[0]?.length, 1);
  for (const other of keys) assert.deepEqual(other, keys[0]);
});

test('the private halves stand in the database encrypted, each bound to its key', async t => {
  const nodes = await startNodes(t);
  const { a, url, database } = nodes;
  await operator(nodes).rotate();
  const content = await stored(url);
  const keys = await database.db.selectFrom('signing_keys').selectAll().execute();
  assert.equal(keys.length, 2);
  for (const { id, private_encrypted, public_jwk } of keys) {
    const { d, x } = JSON.parse(a.world.vault.open(private_encrypted, sealContext(id)));
    assert.ok(content.includes(x) && !('d' in JSON.parse(public_jwk)));
    for (const form of ['base64url', 'base64', 'hex'] as const) {
      assert.ok(!content.includes(Buffer.from(d, 'base64url').toString(form)));
    }
    assert.ok(!content.includes(Buffer.from(d, 'base64url')));
    const [other] = keys.filter(key => key.id !== id);
    assert.throws(() => a.world.vault.open(private_encrypted, sealContext(other?.id ?? '')));
  }
  assert.ok(!content.includes('"d"'));
});

/** What an operator types, the exit code, and what they are told. */
const commands: readonly (readonly [args: readonly string[], code: number, says: RegExp])[] = [
  [['keys', 'retire'], 64, /^KID is missing\n\nnpm run plinth -- keys retire KID .*\n$/],
  [['keys', 'retire', '-unknown'], 1, /^there is no key -unknown\n$/],
];

test('the commands of an operator, beside a service that runs', async t => {
  const folder = await serviceFolder(t);
  const service = new ServiceProcess(t, folder, { NODE_ENV: 'test', BCRYPT_COST: '4' });
  const client = await service.client();
  const token = await client.login(await client.register());
  const kid = String(decodeProtectedHeader(token).kid);

  const [list, only, rows] = await Promise.all([
    plinth(folder, ['keys', 'list']),
    plinth(folder, ['keys', 'retire', kid]),
    inTwos(commands, async ([args, code, says]) => ({ args, code, says, ran: await plinth(folder, args) })),
  ]);
  assert.match(list.stdout, new RegExp(`^${kid}  ES256  made \\S+Z  signs\n$`));
  assert.deepEqual([list.code, list.stderr], [0, '']);
  assert.deepEqual([only.code, only.stdout], [1, '']);
  assert.match(only.stderr, /^nothing else signs from \S+Z on: rotate first\n$/);
  for (const { args, code, says, ran } of rows) {
    assert.deepEqual([ran.code, args], [code, args], ran.stderr);
    assert.match(code === 0 ? ran.stdout : ran.stderr, says);
    assert.equal(code === 0 ? ran.stderr : ran.stdout, '');
  }

  const rotated = await plinth(folder, ['keys', 'rotate']);
  const [, fresh = '', from = ''] =
    /^(\S{43}) is published and signs from (\S+Z)\n$/.exec(rotated.stdout) ?? [];
  assert.equal(rotated.code, 0);
  const again = (await plinth(folder, ['keys', 'list'])).stdout;
  assert.match(again, new RegExp(`^${fresh}  ES256  made \\S+  signs from ${from}$`, 'm'));
  assert.match(again, new RegExp(`^${kid}  ES256  made \\S+  signs until ${from}$`, 'm'));
  const revoked = await plinth(folder, ['keys', 'revoke', kid]);
  assert.equal(revoked.code, 0);
  assert.equal(
    revoked.stdout,
    `${kid} counts for nothing any more; running nodes follow within 30 seconds\n`,
  );
  const left = (await plinth(folder, ['keys', 'list'])).stdout;
  assert.ok(!left.includes(kid) && / {2}signs/.test(left));
  assert.equal((await service.stop()).code, 0);

  // A start reads the keys: nobody has to wait for the running one here.
  const restarted = new ServiceProcess(t, folder, { NODE_ENV: 'test', BCRYPT_COST: '4' });
  assert.equal(await me(await restarted.client(), token), 401);
});

test('a command in the wrong folder says so and makes nothing', async t => {
  const folder = temporaryFolder(t);
  const wrong: readonly (readonly [
    args: readonly string[],
    settings: Record<string, string>,
    says: RegExp,
  ])[] = [
    [['keys', 'list'], {}, /^there is no database data\/plinth\.db\n$/],
    [['secret', 'reencrypt'], { DATABASE_URL: 'sqlite:other.db' }, /^there is no database other\.db\n$/],
    [['keys', 'rotate'], { DATABASE_URL: 'sqlite::memory:' }, /^there is no database :memory:\n$/],
    [['keys', 'list'], { PORT: 'x', BCRYPT_COST: '3' }, /^PORT: .*\nBCRYPT_COST: .*\n$/],
  ];
  for (const { args, says, ran } of await inTwos(wrong, async ([args, settings, says]) => ({
    args,
    says,
    ran: await plinth(folder, args, settings),
  }))) {
    assert.deepEqual([ran.code, ran.stdout], [78, ''], args.join(' '));
    assert.match(ran.stderr, says);
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('SECRET is replaced: with the old one beside it, then encrypted anew, then without', async t => {
  const folder = await serviceFolder(t);
  const settings = { NODE_ENV: 'test', BCRYPT_COST: '4' };
  const [fresh, wrong] = [
    'k3JtR0xWbDdqUnA5c1ZtWk1xT2lYdzZ5SGZnTjFhYkU',
    'cTk0Zk1YbFd2QnRyN0hKcFM1b0RlWjhhVWtHMm5DMXk',
  ];
  const first = new ServiceProcess(t, folder, settings);
  const token = await signedIn(await first.client());
  await first.stop();
  const { secret: old } = contentOf(folder);
  rmSync(join(folder, 'data/secret'), { force: true });

  const refused = async (ended: Promise<{ code: number | null; stderr: string }>): Promise<void> => {
    const { code, stderr } = await ended;
    assert.equal(code, 78);
    assert.match(stderr, /^the database .* was made with another secret: .* SECRET_PREVIOUS\n$/);
  };
  const start = (secrets: Record<string, string>): ServiceProcess =>
    new ServiceProcess(t, folder, { ...settings, ...secrets });
  const accepted = async (secrets: Record<string, string>): Promise<void> => {
    const service = start(secrets);
    const client = await service.client();
    assert.equal(await me(client, token), 200);
    assert.equal((await published(client)).length, 1);
    await signedIn(client);
    assert.equal((await service.stop()).code, 0);
  };
  await refused(start({ SECRET: fresh }).ended());
  await refused(plinth(folder, ['secret', 'reencrypt'], { SECRET: fresh, SECRET_PREVIOUS: wrong }));
  await accepted({ SECRET: fresh, SECRET_PREVIOUS: old });
  const { code, stdout } = await plinth(folder, ['secret', 'reencrypt'], {
    SECRET: fresh,
    SECRET_PREVIOUS: old,
  });
  assert.deepEqual([code, stdout], [0, '1 keys are encrypted with SECRET now; SECRET_PREVIOUS can go\n']);
  await accepted({ SECRET: fresh });
  await refused(plinth(folder, ['keys', 'list'], { SECRET: old }));
});

/** The signing keys as an outside service has them: fetched when its copy is as old as it may be. */
class PublicKeys {
  readonly #client: Client;
  #kids: ReadonlySet<string> = new Set();
  #fetched = Number.NEGATIVE_INFINITY;

  constructor(client: Client) {
    this.#client = client;
  }

  /** `now`: seconds. */
  async at(now: number): Promise<ReadonlySet<string>> {
    if (now - this.#fetched >= 300) {
      this.#kids = new Set(await published(this.#client));
      this.#fetched = now;
    }
    return this.#kids;
  }
}

/** As the command line has it, on an opening of the database of its own. */
function operator({ database, time }: Nodes, accessTokenTtl = 900): KeyOperations {
  return createKeyOperations({
    database,
    vault: createVault(testSecret),
    clock: time.clock(),
    accessTokenTtl,
  });
}

async function published(client: Client): Promise<string[]> {
  const { body } = await client.get('/.well-known/jwks.json');
  return body.keys.map((key: { kid: string }) => key.kid);
}

function kidOf({ access_token }: Pick<Tokens, 'access_token'>): string {
  return String(decodeProtectedHeader(access_token).kid);
}

async function signedIn(client: Client): Promise<string> {
  const token = await client.login(await client.register());
  assert.equal(decodeJwt(token).iss, 'plinth');
  return token;
}

/** Two at a time: each is a process. */
async function inTwos<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let i = 0; i < items.length; i += 2)
    results.push(...(await Promise.all(items.slice(i, i + 2).map(work))));
  return results;
}

/** The database, with its reads counted; they can be made to fail. */
function countingReads(database: Database): {
  readonly database: Database;
  readonly count: () => number;
  readonly fail: (fails: boolean) => void;
} {
  let reads = 0;
  let failing = false;
  const counted =
    <Args extends unknown[], Result>(read: (...args: Args) => Result) =>
    (...args: Args): Result => {
      reads++;
      if (failing) throw new Error('away');
      return read(...args);
    };
  const { db } = database;
  return {
    count: () => reads,
    fail: fails => {
      failing = fails;
    },
    database: {
      db: {
        fn: db.fn,
        selectNoFrom: db.selectNoFrom.bind(db),
        selectFrom: counted(db.selectFrom.bind(db)) as typeof db.selectFrom,
        executeQuery: counted(db.executeQuery.bind(db)) as typeof db.executeQuery,
      },
      transaction: work => database.transaction(work),
      statement: work => database.statement(work),
      exclusive: work => database.exclusive(work),
      ping: () => database.ping(),
      close: () => database.close(),
    },
  };
}
