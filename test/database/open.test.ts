import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { openDatabase, type Params, prepared, type Queries } from '../../src/database.ts';
import { directly, fingerprint, folder, insertUser, names, noon, open, user } from './support.ts';

test('a new database is for its owner alone, and is found again', async t => {
  const path = join(folder(t), 'new', 'data', 'plinth.db');
  const first = await openDatabase(`sqlite:${path}`);
  await insertUser(first, 'ada');
  const modes = [path, `${path}-wal`, `${path}-shm`, join(path, '..'), join(path, '../..')].map(
    p => statSync(p).mode & 0o777,
  );
  await first.close();
  assert.deepEqual(modes, [0o600, 0o600, 0o600, 0o700, 0o700]);
  assert.deepEqual(Object.keys(fingerprint(join(path, '..'))), ['plinth.db']);

  const { database } = await open(t, {}, path);
  assert.deepEqual(await names(database), ['ada']);
});

test('an empty file is a new database', async t => {
  const path = join(folder(t), 'plinth.db');
  writeFileSync(path, '');
  const { database } = await open(t, {}, path);
  await insertUser(database, 'ada');
  assert.deepEqual(await names(database), ['ada']);
});

test('a URL that no engine knows', async () => {
  for (const url of ['sqlite:', 'mysql://here', 'data/plinth.db'])
    await assert.rejects(openDatabase(url), TypeError);
});

for (const where of ['file', 'memory'] as const) {
  const opened = (t: Parameters<typeof open>[0]) => (where === 'file' ? open(t) : open(t, {}, ':memory:'));

  test(`${where}: times are dates outside, also what a write returns; null stays null`, async t => {
    const { database } = await opened(t);
    const ada = user('ada');
    const returned = await database.transaction(tx =>
      tx.insertInto('users').values(ada).returning(['id', 'name', 'created_at']).executeTakeFirstOrThrow(),
    );
    assert.deepEqual({ ...returned }, { id: ada.id, name: null, created_at: noon });
    const selected = await database.db
      .selectFrom('users')
      .where('created_at', '<=', noon)
      .select(({ fn }) => [fn.max('created_at').as('latest_at'), 'created_at as made', 'email as name_at'])
      .executeTakeFirstOrThrow();
    assert.deepEqual({ ...selected }, { latest_at: noon, made: noon, name_at: 'ada@example.com' });
    const nobody = await database.db
      .selectFrom('users')
      .where('created_at', '<', noon)
      .select(({ fn }) => fn.max('created_at').as('latest_at'))
      .executeTakeFirstOrThrow();
    assert.deepEqual({ ...nobody }, { latest_at: null });
  });

  test(`${where}: a prepared read takes its values each time`, async t => {
    const { database } = await opened(t);
    await insertUser(database, 'ada');
    await insertUser(database, 'bob');
    let built = 0;
    const find = prepared((db: Queries, { email, now }: Params<{ email: string; now: Date }>) => {
      built++;
      return db.selectFrom('users').where('email', '=', email).where('created_at', '<=', now).select('email');
    });
    const ask = async (email: string, now: Date) =>
      (await find(database.db, { email, now })).map(row => row.email);
    assert.deepEqual(await ask('ada@example.com', noon), ['ada@example.com']);
    assert.deepEqual(await ask('bob@example.com', noon), ['bob@example.com']);
    assert.deepEqual(await ask('bob@example.com', new Date(0)), []);
    assert.equal(built, 1);
    const inside = await database.transaction(async tx => {
      await tx.deleteFrom('users').where('email', '=', 'bob@example.com').execute();
      return await find(tx, { email: 'bob@example.com', now: noon });
    });
    assert.deepEqual(inside, []);
  });

  test(`${where}: foreign keys hold`, async t => {
    const { database } = await opened(t);
    const ada = user('ada');
    const session = {
      ...{ id: 's', created_at: noon, last_used_at: noon, expires_at: noon, refresh_expires_at: noon },
      ...{ refresh_family_hash: 'f', refresh_hash: 'h', user_agent: null, ip: null },
    };
    const begin = (user_id: string) =>
      database.transaction(tx =>
        tx
          .insertInto('sessions')
          .values({ ...session, user_id })
          .execute(),
      );
    await assert.rejects(begin(ada.id), /FOREIGN KEY/);
    await database.transaction(tx => tx.insertInto('users').values(ada).execute());
    await begin(ada.id);
    await database.transaction(tx => tx.deleteFrom('users').where('id', '=', ada.id).execute());
    assert.deepEqual(await database.db.selectFrom('sessions').select('id').execute(), []);
  });

  test(`${where}: nothing can be written through "db"`, async t => {
    const { database } = await opened(t);
    // @ts-expect-error reads cannot express a write
    const deletion = database.db.deleteFrom('users');
    await assert.rejects(deletion.execute(), /readonly/);
  });

  test(`${where}: columns are what the schema says`, async t => {
    const { database } = await opened(t);
    const wrong = { ...user('ada'), created_at: 'yesterday' };
    const insert = database.transaction(tx =>
      // @ts-expect-error a time is a Date
      tx.insertInto('users').values(wrong).execute(),
    );
    await assert.rejects(insert, /cannot store TEXT value in INTEGER column/);
  });
}

test('an old database with rows in it migrates', async t => {
  const path = await firstVersion(t);
  const later = await migrationsWith(t, {
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
  const at = new Date('2027-01-01T00:00:00Z');
  const { database } = await open(t, { migrations: later, now: () => at }, path);
  const [row] = await database.db.selectFrom('users').selectAll().execute();
  assert.deepEqual({ ...row, id: '' }, { ...user('ada'), id: '', seen: 7 });
  await database.close();
  const history = directly(path, raw => raw.prepare('select * from migrations order by name').all());
  assert.deepEqual(
    history.map(({ name }) => name),
    ['0001_accounts', '0002_rebuild'],
  );
  assert.deepEqual(
    history.map(({ applied_at }) => applied_at === at.getTime()),
    [false, true],
  );
});

test('a migration that fails takes those before it back, and one that leaves orphans fails', async t => {
  const path = await firstVersion(t);
  const good = `export async function up({ createTable, types }) {
    await createTable('extra').addColumn('id', types.id, c => c.primaryKey()).execute();
  }`;
  const orphan = `export async function up({ db }) {
    await db.insertInto('sessions').values({ id: 's', user_id: 'nobody', created_at: 1, last_used_at: 1, expires_at: 1,
      refresh_expires_at: 1, refresh_family_hash: 'f', refresh_hash: 'h' }).execute();
  }`;
  for (const [bad, reason] of [
    [`export async function up() { throw new Error('no luck'); }`, /no luck/],
    [orphan, /rows of sessions refer to none/],
    ['export const down = 1;', /exports no function "up"/],
  ] as const) {
    const migrations = await migrationsWith(t, { '0002_extra.ts': good, '0003_bad.ts': bad });
    await assert.rejects(openDatabase(`sqlite:${path}`, { migrations }), reason);
    const tables = directly(path, raw =>
      raw.prepare("select name from sqlite_schema where name = 'extra'").all(),
    );
    assert.deepEqual(tables, []);
  }
});

test("rows of the first version live through the project's own history", async t => {
  const { database } = await open(t, {}, await firstVersion(t));
  assert.deepEqual(await names(database), ['ada']);
});

/** A closed database as the first version left it, with one person. */
async function firstVersion(t: Parameters<typeof folder>[0]): Promise<string> {
  const { database, path } = await open(t, { migrations: await migrationsWith(t, {}) });
  await insertUser(database, 'ada');
  await database.close();
  return path;
}

/** The project's first migration and some others. */
async function migrationsWith(t: Parameters<typeof folder>[0], files: Record<string, string>): Promise<URL> {
  const path = folder(t);
  const own = new URL('../../migrations/0001_accounts.ts', import.meta.url).href;
  writeFileSync(join(path, '0001_accounts.ts'), `export { up } from '${own}';`);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return pathToFileURL(`${path}/`);
}
