import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { sql } from 'kysely';
import { type Database, openDatabase, prepared, type Queries } from '../../../src/database.ts';
import { migratedDatabase } from '../../helpers/postgres/databases.ts';
import { user } from '../support.ts';

const findName = prepared({ id: 'id', since: 'time' }, (db: Queries, { id, since }) =>
  db
    .selectFrom('users')
    .where('id', '=', id)
    .where('created_at', '>=', since)
    .select(['id', 'email', 'created_at', sql<number>`pg_backend_pid()`.as('pid')]),
);

async function open(t: import('node:test').TestContext, options = {}): Promise<Database> {
  const database = await openDatabase(await migratedDatabase(), options);
  t.after(() => database.close());
  return database;
}

const epoch = new Date(0);

test('reads of one moment go together, each with its own values and its own answer', async t => {
  const database = await open(t);
  const people = Array.from({ length: 1200 }, (_, n) => user(`ada${n}`));
  await database.transaction(tx => tx.insertInto('users').values(people).execute());
  const asked = [...people.map(({ id }) => id), randomUUID(), people[0]?.id ?? ''];
  const found = await Promise.all(asked.map(id => findName(database.db, { id, since: epoch })));
  assert.deepEqual(
    found.map(([row]) => row?.email),
    [...people.map(({ email }) => email), undefined, people[0]?.email],
  );
  assert.ok(found.flat().every(row => row.created_at instanceof Date && Object.keys(row).length === 4));
  const late = new Date(Date.now() + 1e9);
  const [none, some] = await Promise.all([
    findName(database.db, { id: asked[0] ?? '', since: late }),
    findName(database.db, { id: asked[0] ?? '', since: epoch }),
  ]);
  assert.deepEqual([none.length, some.length], [0, 1]);
});

for (const [together, count, expected] of [
  [true, 64, [1]],
  [true, 100, [2]],
  [false, 100, [8, 9, 10]],
] as const) {
  const how = together ? 'together' : 'alone';
  test(`${count} at once, ${how}, take as many connections as ${expected.join(' or ')}`, async t => {
    const database = await open(t, { together });
    const ada = user('ada');
    await database.transaction(tx => tx.insertInto('users').values(ada).execute());
    const ask = async () =>
      await Promise.all(
        Array.from({ length: count }, () => findName(database.db, { id: ada.id, since: epoch })),
      );
    let most = 0;
    // Until all are open that are wanted.
    for (let round = 0; round < 30; round++)
      most = Math.max(most, new Set((await ask()).flat().map(({ pid }) => pid)).size);
    assert.ok(
      expected.some(size => size === most),
      `${most}`,
    );
  });
}

test('what is read together is what is read alone, whatever its type', async t => {
  const database = await open(t);
  const find = prepared({ id: 'id', count: 'integer', text: 'text' }, (db: Queries, { id, count, text }) =>
    db
      .selectFrom('users')
      .leftJoin('signing_keys', join => join.onTrue())
      .where('users.id', '=', id)
      .select(['users.id', 'email', 'name', 'users.created_at', 'updated_at', 'retired_at', 'public_jwk'])
      .select([
        sql<string>`cast(${text} as text)`.as('text'),
        sql<number>`cast(${count} as bigint)`.as('count'),
        sql<boolean>`name is null`.as('unnamed'),
      ]),
  );
  const text = '{"a":[1]}\\ \'"\n\u0001 é 🙂 2026-03-01T12:00:00Z';
  const people = [
    { ...user('ada'), name: text, created_at: new Date('1969-12-31T23:59:59.999Z') },
    { ...user('bob'), name: null, updated_at: new Date('9999-12-31T23:59:59.001Z') },
  ];
  await database.transaction(async tx => {
    await tx.insertInto('users').values(people).execute();
    const key = { id: 'k', algorithm: 'EdDSA', public_jwk: '{"x": ["y", 1, null]}', private_encrypted: 'z' };
    await tx
      .insertInto('signing_keys')
      .values({ ...key, created_at: epoch })
      .execute();
  });
  const values = people.map(({ id }, at) => ({ id, text, count: 2 ** 53 - 1 - at }));
  const together = await Promise.all(values.map(value => find(database.db, value)));
  for (const [at, value] of values.entries()) {
    const [alone] = await find(database.db, value);
    const [row] = together[at] ?? [];
    assert.ok(alone && row);
    assert.deepEqual(
      { ...row, public_jwk: JSON.parse(row.public_jwk ?? '') },
      {
        ...alone,
        public_jwk: JSON.parse(alone.public_jwk ?? ''),
      },
    );
    assert.equal(typeof row.public_jwk, 'string');
  }
});

test('a row with misleading names is of no use, says the compiler', async t => {
  const { db } = await open(t);
  const misnamed = prepared({ id: 'id' }, (db: Queries, { id }) =>
    db.selectFrom('users').where('id', '=', id).select('created_at as made'),
  );
  const unlikeTime = prepared({ id: 'id' }, (db: Queries, { id }) =>
    db.selectFrom('users').where('id', '=', id).select('email as look_at'),
  );
  const id = randomUUID();
  // @ts-expect-error
  assert.equal((await misnamed(db, { id }))[0]?.made, undefined);
  // @ts-expect-error
  assert.equal((await unlikeTime(db, { id }))[0]?.look_at, undefined);
});

test('a value that the database cannot take harms nobody else', async t => {
  const database = await open(t);
  const ada = user('ada');
  await database.transaction(tx => tx.insertInto('users').values(ada).execute());
  const ids = [ada.id, 'no id,}"\\', ada.id];
  const results = await Promise.allSettled(ids.map(id => findName(database.db, { id, since: epoch })));
  assert.deepEqual(
    results.map(result => (result.status === 'fulfilled' ? result.value[0]?.email : 'failed')),
    [ada.email, 'failed', ada.email],
  );
});

test('nothing is kept: what another node has committed counts for the next read, every time', async t => {
  const url = await migratedDatabase();
  const [here, there] = [await openDatabase(url), await openDatabase(url)];
  t.after(async () => {
    await here.close();
    await there.close();
  });
  for (let round = 0; round < 100; round++) {
    const ada = user('ada');
    const find = () => findName(here.db, { id: ada.id, since: epoch });
    await there.statement(tx => tx.insertInto('users').values(ada).execute());
    // Others ask at the same time, and may be under way already.
    const [[found]] = await Promise.all([find(), find(), find()]);
    assert.equal(found?.email, ada.email);
    const before = find();
    await there.statement(tx => tx.deleteFrom('users').where('id', '=', ada.id).execute());
    assert.deepEqual(await find(), []);
    await before;
  }
});
