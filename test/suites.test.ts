import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { enginesOf, testFiles } from './helpers/suites.ts';

const root = new URL('../', import.meta.url);
/** What opens SQLite, whatever engine the run is about. */
const opensSqlite = /node:sqlite|openDatabase\(\s*[`'"]sqlite:/;

const known = {
  'test/auth/login.test.ts': ['sqlite', 'postgres'],
  'test/start.test.ts': ['sqlite', 'postgres'],
  'test/commands/command.test.ts': ['sqlite', 'postgres'],
  'test/database/engine.test.ts': ['sqlite', 'postgres'],
  'test/database/sqlite/kill.test.ts': ['sqlite'],
  'test/database/postgres/server.test.ts': ['postgres'],
  'test/bcrypt/kernel.test.ts': ['sqlite'],
  'test/architecture.test.ts': ['sqlite'],
  'test/docs.test.ts': ['sqlite'],
} as const;

test('a test runs on the engines that it can tell something about', () => {
  for (const [file, engines] of Object.entries(known)) assert.deepEqual(enginesOf(file), engines, file);
  const onPostgres = testFiles().filter(file => enginesOf(file).includes('postgres'));
  assert.ok(onPostgres.length > 30, `${onPostgres.length} files run on PostgreSQL`);
});

test('nothing but the tests about SQLite opens SQLite by itself', () => {
  const files = readdirSync(new URL('test/', root), { recursive: true, encoding: 'utf8' }).filter(
    file => file.endsWith('.ts') && !/^(database\/sqlite|faults)\//.test(file) && file !== 'suites.test.ts',
  );
  const opening = files.filter(file => opensSqlite.test(readFileSync(new URL(`test/${file}`, root), 'utf8')));
  assert.deepEqual(opening, []);
});

test('what opens SQLite is seen', () => {
  for (const text of ["from 'node:sqlite'", 'openDatabase(`sqlite:', "openDatabase('sqlite::memory:')"])
    assert.match(text, opensSqlite);
});
