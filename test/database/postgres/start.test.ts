import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import pg from 'pg';
import type { MigrationContext } from '../../../src/database/migrations.ts';
import { DatabaseRefused, openDatabase } from '../../../src/database.ts';
import { claimDatabase } from '../../../src/instance.ts';
import { createVault } from '../../../src/vault.ts';
import { startApp, testSecret } from '../../helpers/app.ts';
import { emptyDatabase, migratedDatabase } from '../../helpers/postgres/databases.ts';
import { makeFirstVersion, migrationsWith } from '../first-version.ts';
import { insertUser, names } from '../support.ts';

/** As the superuser, beside the engine. */
async function directly(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

/** Migrations that end with a step of the test's own. */
async function migrationsEndingWith(t: TestContext, step: Step): Promise<URL> {
  const file = '0002_step.ts';
  const text = 'export const step = {}; export const up = context => step.run(context);';
  const migrations = migrationsWith(t, { [file]: text });
  (await import(new URL(file, migrations).href)).step.run = step;
  return migrations;
}

type Step = (context: MigrationContext) => Promise<unknown>;

/** How many connections to a database wait for a lock. */
async function countWaiting(url: string): Promise<number> {
  const waiting =
    "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  return (await directly(url, waiting)).length;
}

for (const from of ['nothing', 'the first version'] as const) {
  test(`ten nodes start at once and find ${from}: where one fails to migrate another does, and all others serve`, async t => {
    const url = await emptyDatabase();
    if (from === 'the first version') await makeFirstVersion(t, url);
    let runs = 0;
    let done = 0;
    let others: unknown;
    const migrations = await migrationsEndingWith(t, async () => {
      if (++runs > 1) return;
      // Until all others wait, or one does what it must not: the same, or something else.
      while (runs === 1 && done === 0 && (await countWaiting(url)) < 9);
      others = { runs: runs - 1, done };
      throw new Error('the first fails');
    });
    const started = await Promise.allSettled(
      Array.from({ length: 10 }, () => openDatabase(url, { migrations }).finally(() => done++)),
    );
    const nodes = started.filter(start => start.status === 'fulfilled').map(({ value }) => value);
    t.after(() => Promise.all(nodes.map(node => node.close())));
    for (const start of started)
      if (start.status === 'rejected') assert.match(String(start.reason), /the first fails/);
    assert.deepEqual(others, { runs: 0, done: 0 });
    // It serves too where it sees that another has done it.
    assert.ok(nodes.length >= 9, `${nodes.length} serve`);
    assert.equal(runs, 2);
    await Promise.all(nodes.map((node, n) => insertUser(node, `bob${n}`)));
    const people = nodes.length + (from === 'nothing' ? 0 : 1);
    for (const node of nodes) assert.equal((await names(node)).length, people);
    const history = await directly(url, 'select name from migrations order by name');
    assert.deepEqual(history, [{ name: '0001_accounts' }, { name: '0002_step' }]);
  });
}

test('exclusive work waits for a migration', async t => {
  const url = await makeFirstVersion(t, await emptyDatabase());
  const old = await openDatabase(url, { migrations: migrationsWith(t, {}) });
  t.after(() => old.close());
  await old.ping();
  const told: string[] = [];
  let working: Promise<unknown> | undefined;
  const migrations = await migrationsEndingWith(t, async () => {
    let over = false;
    working = old
      .exclusive(async () => told.push('worked'))
      .finally(() => {
        over = true;
      });
    while (!over && (await countWaiting(url)) < 1);
    told.push('migrated');
  });
  await (await openDatabase(url, { migrations })).close();
  await working;
  assert.deepEqual(told, ['migrated', 'worked']);
});

test('a migration, and the wait for it, may take longer than the server lets this user take', async t => {
  const url = await makeFirstVersion(t, await emptyDatabase());
  const database = new URL(url).pathname.slice(1);
  const settings = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
  for (const [at, value] of ['5s', '50ms', '5s'].entries())
    await directly(url, `alter database ${database} set ${settings[at]} = '${value}'`);
  const limits: unknown[] = [];
  const migrations = await migrationsEndingWith(t, async ({ db }) => {
    while ((await countWaiting(url)) < 1);
    const names = settings.map(name => sql`current_setting(${name})`);
    const { rows } = await sql<{ limits: string[] }>`
      select array[${sql.join(names)}] as limits from pg_sleep(0.1)`.execute(db);
    limits.push(rows[0]?.limits);
  });
  for (const node of await Promise.all([1, 2].map(() => openDatabase(url, { migrations }))))
    await node.close();
  assert.deepEqual(limits, [['0', '0', '0']]);
});

test('a migration is repeated where the server asks for it, and not for another failure', async t => {
  const url = await emptyDatabase();
  let code = '40001';
  let runs = 0;
  const migrations = await migrationsEndingWith(t, async ({ db }) => {
    if (++runs === 1)
      await sql`do ${sql.raw(`$$ begin raise 'x' using errcode = '${code}'; end $$`)}`.execute(db);
  });
  await (await openDatabase(url, { migrations })).close();
  assert.equal(runs, 2);
  await directly(url, "delete from migrations where name = '0002_step'");
  code = '22012';
  runs = 0;
  await assert.rejects(openDatabase(url, { migrations }), { code });
  assert.equal(runs, 1);
});

test('settings without which the server may lose what it has acknowledged are told, and only those', async () => {
  const url = await migratedDatabase();
  const database = new URL(url).pathname.slice(1);
  const settingsTold = async (): Promise<unknown[]> => {
    const told: unknown[] = [];
    await (await openDatabase(url, { onNotDurable: off => told.push(off.toSorted()) })).close();
    return told;
  };
  await directly(url, `alter database ${database} set synchronous_commit = off`);
  const off = await directly(
    url,
    `select name from pg_settings
     where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name`,
  );
  assert.ok(off.some(({ name }) => name === 'synchronous_commit'));
  assert.deepEqual(await settingsTold(), [off.map(({ name }) => name)]);
  // The others are those of the whole server, so here somebody else answers for it.
  await directly(
    url,
    `create function public.current_setting(text, boolean) returns text language sql
     return case $1 when 'fsync' then 'on' when 'synchronous_commit' then 'local' end`,
    `alter database ${database} set search_path = public, pg_catalog`,
  );
  assert.deepEqual(await settingsTold(), []);
});

test('of nodes with different secrets that start at once, those of one are refused', async t => {
  const url = await emptyDatabase();
  const other = createVault(Buffer.from(testSecret).reverse());
  const vaults = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? createVault(testSecret) : other));
  const claims = await Promise.allSettled(
    vaults.map(async vault => {
      const database = await openDatabase(url);
      t.after(() => database.close());
      await claimDatabase(database, vault);
      return vault.fingerprint;
    }),
  );
  const claimed = claims.filter(claim => claim.status === 'fulfilled').map(({ value }) => value);
  assert.equal(claimed.length, 4);
  assert.equal(new Set(claimed).size, 1);
  for (const claim of claims)
    if (claim.status === 'rejected') assert.match(String(claim.reason), /was made with another secret/);
});

test('a user who may not change the schema serves everything, and migrates nothing', async t => {
  const own = await migratedDatabase();
  const role = `clerk_${crypto.randomUUID().replaceAll('-', '')}`;
  await directly(
    own,
    `create role ${role} login password 'clerk'`,
    `grant select, insert, update, delete on all tables in schema public to ${role}`,
  );
  const url = Object.assign(new URL(own), { username: role, password: 'clerk' });
  const database = await openDatabase(url.href, { migrate: false });
  t.after(async () => {
    await database.close();
    await directly(own, `drop owned by ${role}`, `drop role ${role}`);
  });
  const app = await startApp(t, { database });
  const { email, password, token } = await app.person();
  const { body: pair } = await app.post('/login', { email, password });
  const answers = [
    await app.get('/me', { token }),
    await app.request('PATCH', '/me', { token, json: { name: 'Ada' } }),
    await app.post('/refresh', { refresh_token: pair.refresh_token }),
    await app.request('PUT', '/me/password', {
      token,
      json: { current_password: password, new_password: 'another good passphrase' },
    }),
    await app.request('DELETE', '/me/sessions', { token }),
    await app.post('/me/deletion', { password: 'another good passphrase' }, { token }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 204, 204, 204],
  );
  const empty = Object.assign(new URL(await emptyDatabase()), { username: role, password: 'clerk' });
  await assert.rejects(openDatabase(empty.href), /permission denied for schema public/);
});

test('MIGRATE=off refuses a database that lacks a migration, and changes nothing', async () => {
  const url = await emptyDatabase();
  await assert.rejects(openDatabase(url, { migrate: false }), error => {
    assert.ok(error instanceof DatabaseRefused);
    assert.match(
      error.message,
      /lacks the migration 0001_accounts, and MIGRATE is off: .* plinth -- migrate/,
    );
    return true;
  });
  assert.deepEqual(await directly(url, "select from pg_tables where schemaname = 'public'"), []);
});

for (const { what, statements, reason } of [
  {
    what: 'a schema with tables of somebody else',
    statements: ['create table orders (id int)'],
    reason: /is not a Plinth database: its schema public has the table orders$/,
  },
  {
    what: 'another history in a table of the same name',
    statements: ['create table migrations (id int)', 'create table instance (id int)'],
    reason: /cannot be worked with: column "name" does not exist$/,
  },
  {
    what: 'no schema',
    statements: ['drop schema public'],
    reason: /has no schema that this user may use$/,
  },
]) {
  test(`refused, and not touched: ${what}`, async () => {
    const url = await emptyDatabase();
    await directly(url, ...statements);
    const tables = "select tablename from pg_tables where schemaname = 'public' order by 1";
    const before = await directly(url, tables);
    await assert.rejects(openDatabase(url), error => {
      assert.ok(error instanceof DatabaseRefused);
      assert.match(error.message, /^the database test_\w+ at 127\.0\.0\.1:\d+ /);
      assert.match(error.message, reason);
      return true;
    });
    assert.deepEqual(await directly(url, tables), before);
  });
}

test('a database that cannot keep every character is refused', async t => {
  const url = new URL(await emptyDatabase());
  const name = `${url.pathname.slice(1)}_latin1`;
  await directly(url.href, `create database ${name} encoding latin1 locale 'C' template template0`);
  t.after(() => directly(url.href, `drop database ${name}`));
  const latin1 = Object.assign(new URL(url), { pathname: name });
  await assert.rejects(openDatabase(latin1.href), {
    name: 'DatabaseRefused',
    message: /has the encoding LATIN1, and not UTF8$/,
  });
});

test('a newer schema, and a user or a database that is not there, are refused with the reason', async () => {
  const url = await migratedDatabase();
  await directly(url, "insert into migrations values ('9999_future', now())");
  await assert.rejects(openDatabase(url), /is newer than this program: it has migration 9999_future/);
  const absent = new URL(url);
  absent.pathname = 'nowhere';
  await assert.rejects(openDatabase(absent.href), DatabaseRefused);
});

test('tables that came with an extension are nobody’s', async t => {
  const url = await emptyDatabase();
  // As `create extension` does it; the programs of the tests bring none with tables.
  await directly(
    url,
    'create table of_extension (id int)',
    `insert into pg_depend select 'pg_class'::regclass, 'of_extension'::regclass, 0, 'pg_extension'::regclass, oid, 0, 'e'
     from pg_extension where extname = 'plpgsql'`,
  );
  const database = await openDatabase(url);
  t.after(() => database.close());
  assert.deepEqual(await names(database), []);
});
