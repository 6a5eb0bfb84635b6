import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import pg from 'pg';
import { createKeyOperations } from '../../../src/auth/keys.ts';
import { openDatabase } from '../../../src/database.ts';
import { startApp } from '../../helpers/app.ts';
import { logIn } from '../../helpers/nodes.ts';
import { emptyDatabase } from '../../helpers/postgres/databases.ts';

/** Every word of SQL that the service may send: what docs/scaling.md says of engines that speak PostgreSQL's protocol. */
const allowed = new Set(
  `
  begin isolation level read committed write commit rollback set set_config standby
  create table index on add alter column primary key unique references cascade not null
  text uuid bigint timestamptz jsonb
  select from where and or in is inner join cross lateral as order by desc group limit offset case when then else end
  exists cast array unnest with ordinality for no key update skip locked
  insert into values returning conflict do update delete
  current_schema to_regnamespace quote_ident string_agg format count coalesce current_setting true false
  json json_agg json_to_recordset integer
  `.match(/\w+/g),
);
/** Where the catalogue is asked: its tables and columns, and how the queries call them. */
const catalogue =
  /\b(pg_(class|depend|index|attribute)|rel\w+|classid|objid|deptype|oid|reg\w+|att\w+|ind\w+|[a-z]|name|columns|tables|schema|settings|position|attribute|encoding|found|asked|asked_turn)\b/g;

test('no statement of a life of the service has more than the SQL that it is allowed', async t => {
  const statements = collectStatements(t);
  await liveThrough(t);
  assert.ok(statements.size > 30, `${statements.size} statements`);
  for (const statement of statements) assert.deepEqual(unknownWords(statement), [], statement);
});

test('what some such engines do not have is seen', () => {
  const foreign = [
    'listen changes',
    'lock table users',
    'create trigger t after insert on users execute function f()',
    'create temporary table t (id uuid)',
    'declare c cursor for select 1',
    'select pg_advisory_lock(1)',
    'select nextval($1)',
    'create extension citext',
    'begin isolation level serializable',
    'alter table users add constraint u unique (email) deferrable',
    'merge into users using x on true when matched then delete',
  ];
  for (const statement of foreign) assert.notDeepEqual(unknownWords(statement), [], statement);
});

function unknownWords(statement: string): string[] {
  const bare = statement
    .toLowerCase()
    .replaceAll(/"[^"]*"|'[^']*'|\$\d+/g, ' ')
    .replaceAll(catalogue, ' ');
  return (bare.match(/[a-z_]\w*/g) ?? []).filter(word => !allowed.has(word));
}

/** What is sent to the database from now on, but by the tests' own administrator. */
function collectStatements(t: TestContext): ReadonlySet<string> {
  const statements = new Set<string>();
  const query = pg.Client.prototype.query as (...args: unknown[]) => unknown;
  t.mock.method(pg.Client.prototype, 'query', function (this: pg.Client, ...args: unknown[]) {
    const [first] = args as [string | { readonly text: string }];
    const text = typeof first === 'string' ? first : first.text;
    if (!/^create database/.test(text)) statements.add(text);
    return query.apply(this, args);
  });
  return statements;
}

/** Migrates, and asks for everything once. */
async function liveThrough(t: TestContext): Promise<void> {
  const database = await openDatabase(await emptyDatabase(), { onNotDurable: () => undefined });
  t.after(() => database.close());
  const app = await startApp(t, { database, settings: { MAX_SESSIONS: '2' } });
  const person = await app.register();
  const first = await logIn(app, person);
  const { body } = await app.post('/refresh', { refresh_token: first.refresh_token });
  await app.post('/login', { email: person.email, password: 'a wrong passphrase' });
  await app.post('/refresh', { refresh_token: (await logIn(app, person)).refresh_token });
  const other = await logIn(app, person);
  const token: string = (await logIn(app, person)).access_token;
  app.turnClock(120);
  await Promise.all(Array.from({ length: 3 }, () => app.get('/me', { token })));
  await app.request('PATCH', '/me', { token, json: { name: 'Ada' } });
  const { items } = (await app.get('/me/sessions', { token })).body;
  for (const { id } of items)
    await app.request('DELETE', `/me/sessions/${id}`, { token: other.access_token });
  const last = (await logIn(app, person)).access_token;
  await app.request('DELETE', '/me/sessions', { token: last });
  const json = { current_password: person.password, new_password: 'another good passphrase' };
  assert.equal((await app.request('PUT', '/me/password', { json, token: last })).status, 204);
  await app.post('/refresh', { refresh_token: body.refresh_token });
  await app.post('/logout', undefined, { token: last });
  const gone = await logIn(app, { ...person, password: json.new_password });
  const deletion = await app.post(
    '/me/deletion',
    { password: json.new_password },
    { token: gone.access_token },
  );
  assert.equal(deletion.status, 204);
  assert.equal((await app.get('/health')).status, 200);
  const { vault, clock } = app.world;
  const keys = createKeyOperations({ database, vault, clock, accessTokenTtl: 900 });
  const made = await keys.rotate();
  await keys.revoke(made.id);
  for (const { id } of await keys.list()) await keys.retire(id).catch(() => undefined);
}
