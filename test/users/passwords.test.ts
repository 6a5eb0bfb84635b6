import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { BcryptEngine } from '../../src/bcrypt/engine.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { createPasswordHasher } from '../../src/users/security.ts';
import { startApp, type TestApp, unlimited } from '../helpers/app.ts';
import { foreignHashes, truncatedHashes } from './foreign-hashes.ts';

test('hashes made by other implementations verify, and nothing near them does', async t => {
  const passwords = createPasswordHasher({
    engine: await engineFor(t),
    cost: 4,
    onUnusable: () => assert.fail(),
  });
  let count = 0;
  for (const { origin, password, wrong, hash } of foreignHashes) {
    if (typeof password !== 'string' || typeof wrong !== 'string') continue;
    count++;
    assert.notEqual(await passwords.verify(password, hash), 'wrong', `${origin} ${hash}`);
    assert.equal(await passwords.verify(wrong, hash), 'wrong', `${origin} ${hash}`);
  }
  assert.ok(count >= 30, `only ${count} were tried`);
});

test('a hash of a truncated password is not taken for one of the whole', async t => {
  const passwords = createPasswordHasher({
    engine: await engineFor(t),
    cost: 4,
    onUnusable: () => assert.fail(),
  });
  for (const { password, hash } of truncatedHashes) {
    assert.ok(typeof password === 'string');
    assert.equal(await passwords.verify(password, hash), 'wrong');
  }
});

test('what is stored is standard bcrypt, and Passlib’s form where bcrypt would not see the whole password', async t => {
  const passwords = createPasswordHasher({
    engine: await engineFor(t),
    cost: 4,
    onUnusable: () => assert.fail(),
  });
  const forms: readonly (readonly [string, RegExp])[] = [
    ['x'.repeat(72), /^\$2b\$04\$[./A-Za-z0-9]{53}$/],
    ['x'.repeat(73), /^\$bcrypt-sha256\$v=2,t=2b,r=4\$[./A-Za-z0-9]{22}\$[./A-Za-z0-9]{31}$/],
    ['with\0zero', /^\$bcrypt-sha256\$/],
    ['é'.repeat(36), /^\$2b\$/],
    ['é'.repeat(37), /^\$bcrypt-sha256\$/],
  ];
  for (const [password, form] of forms) {
    const hash = await passwords.hash(password);
    assert.match(hash, form);
    assert.equal(await passwords.verify(password, hash), 'right');
  }
});

test('no salt is used twice', async t => {
  const passwords = createPasswordHasher({
    engine: await engineFor(t),
    cost: 4,
    onUnusable: () => assert.fail(),
  });
  const hashes = await Promise.all(Array.from({ length: 300 }, () => passwords.hash('the same')));
  assert.equal(new Set(hashes.map(hash => hash.slice(7, 29))).size, 300);
});

/** Nothing is truncated: each of these is let in by itself and by no neighbour of its own. */
const awkward: readonly string[] = [
  ...[8, 71, 72, 73, 100, 255, 256].map(length => pattern(length)),
  `${'😀'.repeat(63)}🦊`,
  'before\0after',
  'trailing space ',
  'CASE matters here',
];

test('a login needs every byte of the password', async t => {
  const app = await startApp(t);
  for (const password of awkward) {
    const person = await app.register(undefined, password);
    await app.login(person);
    const points = [...password];
    const neighbours = [
      points.slice(0, -1).join(''),
      [...points.slice(0, -1), '~'].join(''),
      password.slice(0, 72),
      password.split('\0')[0] ?? '',
      password.toLowerCase(),
      password.trim(),
      ...(points.length < 256 ? [`${password}x`] : []),
    ].filter(neighbour => neighbour !== password);
    for (const neighbour of neighbours) {
      const { status, body } = await app.post('/login', { email: person.email, password: neighbour });
      assert.deepEqual(
        [status, body.code],
        [401, 'invalid_credentials'],
        JSON.stringify([password, neighbour]),
      );
    }
  }
});

test('passwords are compared in NFC', async t => {
  const app = await startApp(t);
  const person = await app.register(undefined, 'caf\u00e9 au lait');
  await app.login({ ...person, password: 'cafe\u0301 au lait' });
  const other = await app.register(undefined, 'cafe\u0301 noir');
  await app.login({ ...other, password: 'caf\u00e9 noir' });
});

const unusable: readonly string[] = [
  '',
  'x',
  'plain text',
  '$2b$04$',
  '$2b$04$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBu',
  '$2b$31$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$2b$99$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$2b$16$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$2b$03$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$2x$04$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$2$04$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$2b$04$abcdefghijklmnopqrst*u5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$2b$04$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui\n',
  '$bcrypt-sha256$v=2,t=2b,r=31$abcdefghijklmnopqrstuu$5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$bcrypt-sha256$v=3,t=2b,r=4$abcdefghijklmnopqrstuu$5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
  '$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG',
];

test('a stored hash that cannot be used is a 401 and a line in the log', async t => {
  const app = await startApp(t, { settings: unlimited });
  const person = await app.register();
  for (const hash of unusable) {
    await setHash(app, person.id, hash);
    const before = countUnusable(app);
    const { status, body } = await app.post('/login', pick(person));
    assert.deepEqual([status, body.code], [401, 'invalid_credentials'], hash);
    assert.equal(countUnusable(app), before + 1);
  }
  assert.ok(!JSON.stringify(app.logged).includes('abcdefghijklmnopqrst'), 'a hash is in the log');
});

test('no hash in the database makes the server compute more than a login costs', async t => {
  const costs: number[] = [];
  const inner = await engineFor(t);
  const engine: BcryptEngine = {
    description: 'notes costs',
    digest: work => {
      costs.push(work.cost);
      return inner.digest(work);
    },
    close: async () => undefined,
  };
  const passwords = createPasswordHasher({ engine, cost: 5, onUnusable: () => undefined });
  for (const hash of unusable) await passwords.verify('anything', hash);
  assert.deepEqual([...new Set(costs)], [5]);
});

test('a hash at an old cost is made again at a login with the right password, and only then', async t => {
  const app = await startApp(t, { settings: { BCRYPT_COST: '5' } });
  const person = await app.register();
  const old = await createPasswordHasher({ engine: app.world.engine, cost: 4, onUnusable: assert.fail }).hash(
    person.password,
  );
  await setHash(app, person.id, old);

  assert.equal((await app.post('/login', { ...pick(person), password: 'wrong password' })).status, 401);
  assert.equal(await hashOf(app, person.id), old);

  const both = await Promise.all([app.post('/login', pick(person)), app.post('/login', pick(person))]);
  assert.deepEqual(
    both.map(answer => answer.status),
    [200, 200],
  );
  const renewed = await hashOf(app, person.id);
  assert.match(renewed, /^\$2b\$05\$/);

  await app.login(person);
  assert.equal(await hashOf(app, person.id), renewed);
});

function pick({ email, password }: { email: string; password: string }) {
  return { email, password };
}

function pattern(length: number): string {
  return Array.from({ length }, (_, i) => String.fromCharCode(97 + ((i * 7) % 26))).join('');
}

function countUnusable(app: TestApp): number {
  return app.logged.filter(line => line['msg'] === 'a stored password hash cannot be used').length;
}

async function setHash(app: TestApp, id: string, hash: string): Promise<void> {
  await app.world.database.transaction(tx =>
    tx.updateTable('users').set({ password_hash: hash }).where('id', '=', id).execute(),
  );
}

async function hashOf(app: TestApp, id: string): Promise<string> {
  const row = await app.world.database.db
    .selectFrom('users')
    .where('id', '=', id)
    .select('password_hash')
    .executeTakeFirstOrThrow();
  return row.password_hash;
}

async function engineFor(t: TestContext): Promise<BcryptEngine> {
  const engine = await createBcryptEngine({ threads: 1, log: assert.fail });
  t.after(() => engine.close());
  return engine;
}
