import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { CompiledQuery, sql } from 'kysely';
import { SnapshotConnection } from '../../src/database/sqlite/snapshot.ts';
import { DatabaseUnavailable } from '../../src/database.ts';
import { insertUser, names, open } from './support.ts';

test('of reads that run together one that fails does so alone', async t => {
  const { database } = await open(t);
  await insertUser(database, 'ada');
  const broken = database.db.selectNoFrom(sql`json('{')`.as('broken'));
  const results = await Promise.allSettled([names(database), broken.execute(), names(database)]);
  assert.deepEqual(
    results.map(result => (result.status === 'fulfilled' ? result.value : 'failed')),
    [['ada'], 'failed', ['ada']],
  );
  await insertUser(database, 'bob');
  assert.deepEqual(await names(database), ['ada', 'bob']);
});

test('a read that was begun before the end is answered, a later one refused', async t => {
  const { database } = await open(t);
  await insertUser(database, 'ada');
  const begun = names(database);
  await database.close();
  assert.deepEqual(await begun, ['ada']);
  await assert.rejects(names(database), DatabaseUnavailable);
});

test('reads go on where their common transaction cannot be opened, and the process lives', async () => {
  using raw = new DatabaseSync(':memory:');
  const connection = new SnapshotConnection(raw);
  // A second "begin" is an error.
  raw.exec('begin');
  const { rows } = await connection.executeQuery<{ answer: number }>(
    CompiledQuery.raw('select 42 as answer'),
  );
  assert.deepEqual(rows, [{ answer: 42 }]);
  assert.ok(!raw.isTransaction, 'nothing holds an old state of the database');
});
