import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { CompiledQuery } from 'kysely';
import { maxStatements, SqliteConnection } from '../../../src/database/sqlite/connection.ts';

test('a statement is prepared once for each text, and not kept for ever', async () => {
  let prepared = 0;
  class Counted extends DatabaseSync {
    override prepare(sql: string) {
      prepared++;
      return super.prepare(sql);
    }
  }
  using raw = new Counted(':memory:');
  const connection = new SqliteConnection(raw);
  const run = async (sql: string) => (await connection.executeQuery(CompiledQuery.raw(sql))).rows;
  for (let n = 0; n < 10; n++) await run('select 1 as one');
  assert.equal(prepared, 1);
  for (let n = 0; n < maxStatements + 10; n++) await run(`select ${n} as n`);
  assert.equal(prepared, maxStatements + 11);
  assert.equal(connection.statements, maxStatements);
  assert.deepEqual(
    (await run('select 1 as one')).map(row => ({ ...(row as object) })),
    [{ one: 1 }],
  );
});
