import assert from 'node:assert/strict';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import test from 'node:test';
import { sql } from 'kysely';
import { openTarget } from '../../../src/commands/move.ts';
import { openDatabase, type Transaction } from '../../../src/database.ts';
import { withDatabase } from '../../helpers/database.ts';
import { dump, emptyDatabase, migratedDatabase } from '../../helpers/postgres/databases.ts';
import { migrationsWith } from '../first-version.ts';
import { contentsOf, fill, moveAll, moving, movingWith, newFile, pathOf } from '../moving.ts';
import { user } from '../support.ts';
import { onServer, person } from './on-server.ts';
import { moveThereAndBack } from './there-and-back.ts';

test('some thousand people move there and back, and everything is the same', t => moveThereAndBack(t, 2500));

test('a table that comes with a migration is moved like all others, after those that it refers to', async t => {
  const migrations = migrationsWith(t, {
    '0002_activity.ts': `export async function up({ createTable, types }) {
      await createTable('activity')
        .addColumn('id', types.text, c => c.primaryKey())
        .addColumn('user_id', types.id, c => c.notNull().references('users.id'))
        .addColumn('about', types.json)
        .addColumn('count', types.integer)
        .addColumn('seen_at', types.time)
        .execute();
    }`,
  });
  const [first, second, third] = [newFile(t), await emptyDatabase(), newFile(t)];
  const database = await openDatabase(first, { migrations });
  await database.transaction(async tx => {
    const ada = user('ada');
    await tx.insertInto('users').values(ada).execute();
    await sql`insert into activity values ('a', ${ada.id}, ${'{"b":[1,"x"],"a":null}'}, 7, null)`.execute(tx);
    await sql`insert into activity values ('b', ${ada.id}, null, -1, 1772366400123)`.execute(tx);
  });
  await database.close();
  const sums: string[] = [];
  for (const [from, to] of [
    [first, second],
    [second, third],
  ] as const) {
    const tables = await moveAll(from, to, { migrations });
    const names = tables.map(({ name }) => name);
    assert.deepEqual(names.toSorted(), ['activity', 'instance', 'sessions', 'signing_keys', 'users']);
    assert.ok(names.indexOf('users') < names.indexOf('activity'));
    const activity = tables.find(({ name }) => name === 'activity');
    assert.equal(activity?.rows, 2);
    sums.push(activity.checksum);
  }
  assert.equal(sums[0], sums[1]);
});

interface State {
  from: string;
  readonly to: string;
}

const key = `insert into signing_keys values ('k', 'ES256', '{}', 'x', now(), null, null, null)`;
const trigger = (body: string, returns: string, when: string): string =>
  `create function change() returns trigger language plpgsql as $$ begin ${body}; return ${returns}; end $$;
  create trigger change ${when} for each row execute function change()`;

/** What stands in the way, and what is said of it. The target has today's schema and no rows before. */
const refusals: readonly (readonly [what: string, says: RegExp, prepare: (state: State) => Promise<void>])[] =
  [
    ['a person is there', /is not empty: it has users$/, ({ to }) => onServer(to, person)],
    ['a service was there', /is not empty: it has signing_keys$/, ({ to }) => onServer(to, key)],
    [
      'it belongs to another secret',
      /was made with another secret/,
      ({ to }) => onServer(to, "insert into instance values ('secret_fingerprint', 'x')"),
    ],
    [
      'it is older, and not empty',
      /is not empty: it has users$/,
      ({ to }) => onServer(to, `delete from migrations where name > '0001_accounts'; ${person}`),
    ],
    [
      'it is newer',
      /is newer than this program/,
      ({ to }) => onServer(to, "insert into migrations values ('9999_later', now())"),
    ],
    [
      'it is that of another program',
      /is not a Plinth database/,
      ({ to }) => onServer(to, 'drop table migrations; create table things (id int primary key)'),
    ],
    [
      'it changes what it is given',
      /^the database test_\w+ at \S+ keeps the users differently: 20 of 20 rows, checksum \w{64} instead of \w{64}$/,
      ({ to }) => onServer(to, trigger("new.name := rtrim(new.name, 'e')", 'new', 'before insert on users')),
    ],
    [
      'it drops some of what it is given',
      /keeps the sessions differently: 10 of 20 rows/,
      ({ to }) =>
        onServer(
          to,
          trigger('if new.ip is null then return null; end if', 'new', 'before insert on sessions'),
        ),
    ],
    [
      'it cannot hold what is here',
      /^the database test_\w+ at \S+ cannot take one of the users: /,
      ({ from }) =>
        change(from, tx => tx.updateTable('users').set({ name: 'a\0b' }).where('name', '=', 'null')),
    ],
    [
      'what is here belongs to another secret',
      /was made with another secret/,
      ({ from }) => change(from, tx => tx.updateTable('instance').set({ value: 'x' })),
    ],
    [
      'what is here is older than the program',
      /lacks the migration 0002_rotation.*plinth -- migrate/,
      ({ from }) =>
        change(from, tx => ({ execute: () => sql`delete from migrations where name > '0002'`.execute(tx) })),
    ],
    [
      'nothing is here',
      /nothing\.db is not there$/,
      async state => {
        state.from += '.nothing.db';
      },
    ],
  ];

for (const [what, says, prepare] of refusals) {
  test(`nothing is moved, and nothing is changed: ${what}`, async t => {
    const state = { from: newFile(t), to: await migratedDatabase() };
    await fill(state.from, 20);
    await prepare(state);
    const before = await dump(state.to);
    const attempt = moving('--from', state.from, '--to', state.to);
    await assert.rejects(attempt, { name: 'CommandRefused', message: says });
    assert.equal(await dump(state.to), before);
  });
}

test('a file that is there is not written to, and one on the way is nowhere', async t => {
  const [from, there, to] = [await emptyDatabase(), newFile(t), newFile(t)];
  await fill(from, 20);
  await fill(there, 1);
  await assert.rejects(moving('--from', from, '--to', there), /is there already$/);
  assert.equal((await contentsOf(there))['users']?.length, 1);
  for (const [to, make] of [
    [newFile(t), (path: string) => writeFileSync(path, '')],
    [newFile(t), (path: string) => symlinkSync('nowhere', path)],
  ] as const) {
    make(pathOf(to));
    // Before all is copied, and not after.
    await assert.rejects(openTarget(to, {}), /is there already$/);
    assert.equal(readdirSync(dirname(pathOf(to))).length, 1);
  }
  const signal = AbortSignal.abort(new Error('interrupted'));
  await assert.rejects(moveAll(from, to, {}, { signal }), /^Error: interrupted$/);
  assert.deepEqual(readdirSync(dirname(pathOf(to))), []);
  await moving('--from', from, '--to', to);
});

test('the one of --from and --to that is not given is that of the settings', async t => {
  const [first, second, third] = [newFile(t), await emptyDatabase(), newFile(t)];
  await fill(first, 20);
  await movingWith({ DATABASE_URL: second }, ['--from', first]);
  await movingWith({ DATABASE_URL: second }, ['--to', third]);
  assert.deepEqual(await contentsOf(third), await contentsOf(first));
});

const wrong: readonly (readonly [words: string, says: RegExp])[] = [
  ['', /^--to is missing$/],
  ['--to', /--to/],
  ['--to sqlite:data/plinth.db', /^--from and --to have to be two databases$/],
  ['--to sqlite:./data/../data/plinth.db', /^--from and --to have to be two databases$/],
  ['--to sqlite::memory:', /^a database is sqlite:PATH or postgres:/],
  ['--to mysql://u:hunter2@localhost/x', /^a database is sqlite:PATH or postgres:/],
  ['--from x --to sqlite:y', /^a database is sqlite:PATH or postgres:/],
  ['sqlite:y', /^what is sqlite:y\?$/],
];

test('what is no two databases is a fault of the command line', async () => {
  for (const [line, message] of wrong) {
    const words = line === '' ? [] : line.split(' ');
    await assert.rejects(moving(...words), { name: 'UsageFault', message }, line);
  }
});

test('progress is drawn on a terminal, and Ctrl-C there, or its end, leaves nothing', async t => {
  const [from, to] = [newFile(t), await emptyDatabase()];
  await fill(from, 1500);
  let drawn = '';
  const terminal = (signal?: NodeJS.Signals) => ({
    isTTY: true,
    write(text: string) {
      drawn += text;
      if (signal && text.includes('copying users')) process.emit(signal, signal);
    },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const interrupted = movingWith({}, ['--from', from, '--to', to], terminal(signal));
    await assert.rejects(interrupted, {
      name: 'CommandRefused',
      message: /^interrupted; nothing was changed$/,
    });
    assert.deepEqual((await contentsOf(to))['users'], []);
  }
  await movingWith({}, ['--from', from, '--to', to], terminal());
  assert.match(drawn, /copying users +\[#{26}\.{14}\] +66 %/);
  assert.match(drawn, /checking sessions +\[#{40}\] 100 %/);
});

test('a role without rights to change the schema can move into a database that was migrated', async t => {
  const [from, to, back] = [newFile(t), await migratedDatabase(), newFile(t)];
  await fill(from, 20);
  const url = new URL(to);
  const role = `mover_${crypto.randomUUID().replaceAll('-', '')}`;
  await onServer(
    to,
    `create role ${role} login password 'x'; grant select, insert, update, delete on all tables in schema public to ${role}`,
  );
  t.after(() => onServer(to, `drop owned by ${role}; drop role ${role}`));
  [url.username, url.password] = [role, 'x'];
  await moving('--from', from, '--to', url.href);
  const node = await openDatabase(to);
  await node.ping();
  await assert.rejects(
    moving('--from', url.href, '--to', back),
    /is in use/,
    'it sees the node of another user',
  );
  await node.close();
  await moving('--from', url.href, '--to', back);
  assert.deepEqual(await contentsOf(back), await contentsOf(from));
});

async function change(
  url: string,
  query: (tx: Transaction) => { execute(): Promise<unknown> },
): Promise<void> {
  await withDatabase(url, database => database.transaction(async tx => void (await query(tx).execute())));
}
