import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { type Database, openDatabase } from '../../src/database.ts';
import { newDatabase, withDatabase } from '../helpers/database.ts';
import { makeFirstVersion, migrationsWith } from './first-version.ts';
import { names, user } from './support.ts';

test('an old database with rows in it migrates', async t => {
  const url = await firstVersion(t);
  const migrations = migrationsWith(t, {
    '0002_more.ts': `export async function up({ schema, types, db }) {
      await schema.alterTable('users').addColumn('seen', types.integer, c => c.notNull().defaultTo(7)).execute();
      await schema.alterTable('users').addColumn('seen_at', types.time).execute();
      const rows = await db.selectFrom('users').select(['id', 'created_at']).execute();
      for (const { id, created_at } of rows)
        await db.updateTable('users').where('id', '=', id).set({ seen_at: created_at }).execute();
    }`,
  });
  const at = new Date('2027-01-01T00:00:00Z');
  const database = await openDatabase(url, { migrations, now: () => at });
  t.after(() => database.close());
  const [row] = await database.db.selectFrom('users').selectAll().execute();
  const ada = user('ada');
  assert.deepEqual({ ...row, id: '' }, { ...ada, id: '', seen: 7, seen_at: ada.created_at });
  const applied = await history(database);
  assert.deepEqual(
    applied.map(({ name, applied_at }) => [name, applied_at.getTime() === at.getTime()]),
    [
      ['0001_accounts', false],
      ['0002_more', true],
    ],
  );
});

test('a migration that fails takes those before it back', async t => {
  const url = await firstVersion(t);
  const good = `export async function up({ createTable, types }) {
    await createTable('extra').addColumn('id', types.id, c => c.primaryKey()).execute();
  }`;
  for (const [bad, reason] of [
    [`export async function up() { throw new Error('no luck'); }`, /no luck/],
    ['export const down = 1;', /exports no function "up"/],
  ] as const) {
    const migrations = migrationsWith(t, { '0002_extra.ts': good, '0003_bad.ts': bad });
    await assert.rejects(openDatabase(url, { migrations }), reason);
    await withDatabase(url, async database => {
      assert.ok((await history(database)).every(({ name }) => name !== '0002_extra'));
      await assert.rejects(
        database.transaction(tx => sql`select * from extra`.execute(tx)),
        /extra/,
      );
    });
  }
});

test("rows of the first version live through the project's own history", async t => {
  assert.deepEqual(await withDatabase(await firstVersion(t), names), ['ada']);
});

async function firstVersion(t: TestContext): Promise<string> {
  return await makeFirstVersion(t, await newDatabase(t, 'nothing'));
}

async function history(database: Database): Promise<{ name: string; applied_at: Date }[]> {
  const query = sql<{
    name: string;
    applied_at: Date;
  }>`select name, applied_at from migrations order by name`;
  return (await database.transaction(tx => query.execute(tx))).rows;
}
