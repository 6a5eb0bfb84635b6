import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openDatabase } from '../../../src/database.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { makeFirstVersion, migrationsWith } from '../first-version.ts';
import { user } from '../support.ts';
import { directly } from './support.ts';

test('a table that others refer to can be built anew', async t => {
  const url = await firstVersion(t);
  const migrations = migrationsWith(t, {
    '0002_rebuild.ts': `export async function up({ createTable, schema, types, db }) {
      await createTable('people').addColumn('id', types.id, c => c.primaryKey())
        .addColumn('email', types.text).addColumn('email_canonical', types.text, c => c.notNull().unique())
        .addColumn('name', types.text).addColumn('password_hash', types.text)
        .addColumn('created_at', types.time).addColumn('updated_at', types.time)
        .addColumn('seen', types.integer, c => c.notNull().defaultTo(7)).execute();
      const rows = await db.selectFrom('users').selectAll().execute();
      for (const row of rows) await db.insertInto('people').values(row).execute();
      await schema.dropTable('users').execute();
      await schema.alterTable('people').renameTo('users').execute();
    }`,
  });
  const database = await openDatabase(url, { migrations });
  const [row] = await database.db.selectFrom('users').selectAll().execute();
  await database.close();
  assert.deepEqual({ ...row, id: '' }, { ...user('ada'), id: '', seen: 7 });
});

test('a migration that leaves orphans fails, and takes those before it back', async t => {
  const url = await firstVersion(t);
  const migrations = migrationsWith(t, {
    '0002_extra.ts': `export async function up({ createTable, types }) {
      await createTable('extra').addColumn('id', types.id, c => c.primaryKey()).execute();
    }`,
    '0003_orphan.ts': `export async function up({ db }) {
      await db.insertInto('sessions').values({ id: 's', user_id: 'nobody', created_at: 1, last_used_at: 1,
        expires_at: 1, refresh_expires_at: 1, refresh_family_hash: 'f', refresh_hash: 'h' }).execute();
    }`,
  });
  await assert.rejects(openDatabase(url, { migrations }), /rows of sessions refer to none/);
  const tables = directly(url.slice('sqlite:'.length), raw =>
    raw.prepare("select name from sqlite_schema where name = 'extra'").all(),
  );
  assert.deepEqual(tables, []);
});

async function firstVersion(t: TestContext): Promise<string> {
  return await makeFirstVersion(t, `sqlite:${join(temporaryFolder(t), 'plinth.db')}`);
}
