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

for (const together of [true, false]) {
  test(`a hundred at once take ${together ? 'one connection' : 'many connections, where they go alone'}`, async t => {
    const database = await open(t, { together });
    const ada = user('ada');
    await database.transaction(tx => tx.insertInto('users').values(ada).execute());
    const reads = Array.from({ length: 100 }, () => findName(database.db, { id: ada.id, since: epoch }));
    const used = new Set((await Promise.all(reads)).flat().map(({ pid }) => pid));
    assert.equal(used.size === 1, together);
  });
}

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
