import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { CompiledQuery } from 'kysely';
import { SnapshotConnection } from '../../../src/database/sqlite/snapshot.ts';

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
