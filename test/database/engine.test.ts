import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { sql } from 'kysely';
import { DatabaseUnavailable, openDatabase, prepared, type Queries } from '../../src/database.ts';
import { openAt, places } from './places.ts';
import { insertUser, names, noon, user } from './support.ts';

test('a URL that no engine knows', async () => {
  for (const url of ['sqlite:', 'mysql://here', 'data/plinth.db'])
    await assert.rejects(openDatabase(url), TypeError);
});

for (const place of places) {
  test(`${place}: times are dates outside, also what a write returns; null stays null`, async t => {
    const { database } = await openAt(t, place);
    const ada = user('ada');
    const returned = await database.transaction(tx =>
      tx.insertInto('users').values(ada).returning(['id', 'name', 'created_at']).executeTakeFirstOrThrow(),
    );
    assert.deepEqual({ ...returned }, { id: ada.id, name: null, created_at: noon });
    const selected = await database.db
      .selectFrom('users')
      .where('created_at', '<=', noon)
      .select(['created_at as made', 'email as name_at'])
      .executeTakeFirstOrThrow();
    assert.deepEqual({ ...selected }, { made: noon, name_at: 'ada@example.com' });
    const latest = await database.db
      .selectFrom('users')
      .select(({ fn }) => fn.max('created_at').as('latest_at'))
      .executeTakeFirstOrThrow();
    assert.deepEqual({ ...latest }, { latest_at: noon });
    const nobody = await database.db
      .selectFrom('users')
      .where('created_at', '<', noon)
      .select(({ fn }) => fn.max('created_at').as('latest_at'))
      .executeTakeFirstOrThrow();
    assert.deepEqual({ ...nobody }, { latest_at: null });
  });

  test(`${place}: a prepared read takes its values each time`, async t => {
    const { database } = await openAt(t, place);
    await insertUser(database, 'ada');
    await insertUser(database, 'bob');
    let built = 0;
    const find = prepared({ email: 'text', now: 'time' }, (db: Queries, { email, now }) => {
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

  test(`${place}: foreign keys hold`, async t => {
    const { database } = await openAt(t, place);
    const ada = user('ada');
    const session = {
      ...{
        id: randomUUID(),
        created_at: noon,
        last_used_at: noon,
        expires_at: noon,
        refresh_expires_at: noon,
      },
      ...{ refresh_family_hash: 'f', refresh_hash: 'h', user_agent: null, ip: null },
    };
    const begin = (user_id: string) =>
      database.transaction(tx =>
        tx
          .insertInto('sessions')
          .values({ ...session, user_id })
          .execute(),
      );
    await assert.rejects(begin(ada.id), /foreign key/i);
    await database.transaction(tx => tx.insertInto('users').values(ada).execute());
    await begin(ada.id);
    await database.transaction(tx => tx.deleteFrom('users').where('id', '=', ada.id).execute());
    assert.deepEqual(await database.db.selectFrom('sessions').select('id').execute(), []);
  });

  test(`${place}: nothing can be written through "db"`, async t => {
    const { database } = await openAt(t, place);
    // @ts-expect-error reads cannot express a write
    const deletion = database.db.deleteFrom('users');
    await assert.rejects(deletion.execute(), /readonly/);
  });

  test(`${place}: columns are what the schema says`, async t => {
    const { database } = await openAt(t, place);
    const wrong = { ...user('ada'), created_at: 'noon or so' };
    const insert = database.transaction(tx =>
      // @ts-expect-error a time is a Date
      tx.insertInto('users').values(wrong).execute(),
    );
    await assert.rejects(
      insert,
      /cannot store TEXT value in INTEGER column|invalid input syntax for type timestamp/,
    );
  });

  test(`${place}: of reads that run together one that fails does so alone`, async t => {
    const { database } = await openAt(t, place);
    await insertUser(database, 'ada');
    const broken = database.db.selectNoFrom(sql`(select 1 from nowhere)`.as('broken'));
    const results = await Promise.allSettled([names(database), broken.execute(), names(database)]);
    assert.deepEqual(
      results.map(result => (result.status === 'fulfilled' ? result.value : 'failed')),
      [['ada'], 'failed', ['ada']],
    );
    await insertUser(database, 'bob');
    assert.deepEqual(await names(database), ['ada', 'bob']);
  });

  test(`${place}: a read that was begun before the end is answered, a later one refused`, async t => {
    const { database } = await openAt(t, place);
    await insertUser(database, 'ada');
    const begun = names(database);
    await database.close();
    assert.deepEqual(await begun, ['ada']);
    await assert.rejects(names(database), DatabaseUnavailable);
  });
}
