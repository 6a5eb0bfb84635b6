import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql, type Transaction } from 'kysely';
import { type Database, openDatabase, type Tables } from '../../../src/database.ts';
import { startApp } from '../../helpers/app.ts';
import { logIn } from '../../helpers/nodes.ts';
import { migratedDatabase } from '../../helpers/postgres/databases.ts';
import { user } from '../support.ts';
import { onServer } from './on-server.ts';

async function openTwo(t: TestContext, given?: string): Promise<readonly [Database, Database]> {
  const url = given ?? (await migratedDatabase());
  const databases = [await openDatabase(url), await openDatabase(url)] as const;
  t.after(async () => {
    for (const database of databases) await database.close();
  });
  return databases;
}

const rename = (tx: Transaction<Tables>, id: string, name: string) =>
  tx.updateTable('users').set({ name }).where('id', '=', id).execute();

test('of two transactions that wait for each other one begins again, and both are done', async t => {
  const url = await migratedDatabase();
  // The server looks for such pairs after this time, which is usually a second.
  await onServer(url, `alter database ${new URL(url).pathname.slice(1)} set deadlock_timeout = '50ms'`);
  const [a, b] = await openTwo(t, url);
  const [ada, bob] = [user('ada'), user('bob')];
  await a.transaction(tx => tx.insertInto('users').values([ada, bob]).execute());
  const bothBegun = Promise.withResolvers<void>();
  let begun = 0;
  let attempts = 0;
  const cross = (database: Database, first: string, second: string, name: string) =>
    database.transaction(async tx => {
      attempts++;
      await rename(tx, first, name);
      if (++begun === 2) bothBegun.resolve();
      await bothBegun.promise;
      await rename(tx, second, name);
    });
  await Promise.all([cross(a, ada.id, bob.id, 'a'), cross(b, bob.id, ada.id, 'b')]);
  assert.equal(attempts, 3);
  const found = await a.db.selectFrom('users').select('name').execute();
  assert.equal(new Set(found.map(({ name }) => name)).size, 1);
});

for (const { how, count, lost } of [
  { how: 'exclusive', count: (db: Database, work: Count) => db.exclusive(work), lost: false },
  {
    how: 'the control, which only reads first',
    count: (db: Database, work: Count) => db.transaction(work),
    lost: true,
  },
]) {
  test(`${how}: of many that look and then write, ${lost ? 'some are lost' : 'none is lost'}`, async t => {
    const databases = await openTwo(t);
    await databases[0].statement(tx => tx.insertInto('instance').values({ name: 'n', value: '0' }).execute());
    const increment: Count = async tx => {
      const { value } = await tx
        .selectFrom('instance')
        .where('name', '=', 'n')
        .select('value')
        .executeTakeFirstOrThrow();
      await tx
        .updateTable('instance')
        .set({ value: String(Number(value) + 1) })
        .where('name', '=', 'n')
        .execute();
    };
    await Promise.all(Array.from({ length: 40 }, (_, n) => count(databases[n % 2 ? 0 : 1], increment)));
    const { value } = await databases[0].db
      .selectFrom('instance')
      .where('name', '=', 'n')
      .select('value')
      .executeTakeFirstOrThrow();
    assert.equal(Number(value) < 40, lost);
  });
}

type Count = (tx: Transaction<Tables>) => Promise<void>;

test('logins of one person at once, on two nodes, leave no more sessions than there may be', async t => {
  const [first, second] = await openTwo(t);
  const settings = { MAX_SESSIONS: '3' };
  const [a, b] = [
    await startApp(t, { database: first, settings }),
    await startApp(t, { database: second, settings }),
  ];
  const person = await a.register();
  const pairs = await Promise.all(Array.from({ length: 12 }, (_, n) => logIn(n % 2 ? a : b, person)));
  const live = await Promise.all(pairs.map(({ access_token }) => b.get('/me', { token: access_token })));
  assert.equal(live.filter(({ status }) => status === 200).length, 3);
});

test('a column that a newer node adds disturbs nobody who has the old schema prepared', async t => {
  const [database] = await openTwo(t);
  const all = () => database.db.selectFrom('users').selectAll().execute();
  const within = () => database.transaction(tx => tx.selectFrom('users').selectAll().execute());
  await Promise.all([...Array.from({ length: 10 }, within), ...Array.from({ length: 10 }, all)]);
  await database.transaction(tx => sql`alter table users add column later text`.execute(tx));
  for (let round = 0; round < 10; round++) assert.deepEqual(await Promise.all([all(), within()]), [[], []]);
  await Promise.all([...Array.from({ length: 10 }, within), ...Array.from({ length: 10 }, all)]);
});

test('what failed within a transaction cannot be committed by going on', async t => {
  const [database] = await openTwo(t);
  const ada = user('ada');
  const work = database.transaction(async tx => {
    await tx.insertInto('users').values(ada).execute();
    await tx
      .insertInto('users')
      .values(ada)
      .execute()
      .catch(() => {});
  });
  await assert.rejects(work, /rolled back/);
  assert.deepEqual(await database.db.selectFrom('users').select('id').execute(), []);
});

test('a second statement where one was announced is refused', async t => {
  const [database] = await openTwo(t);
  const work = database.statement(async tx => {
    await tx.deleteFrom('users').execute();
    await tx.deleteFrom('sessions').execute();
  });
  await assert.rejects(work, /this transaction is over/);
});
