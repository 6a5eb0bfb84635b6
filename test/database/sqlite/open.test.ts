import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDatabase } from '../../../src/database.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { insertUser, names } from '../support.ts';
import { fingerprint, open } from './support.ts';

test('a new database is for its owner alone, and is found again', async t => {
  const path = join(temporaryFolder(t), 'new', 'data', 'plinth.db');
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
  const path = join(temporaryFolder(t), 'plinth.db');
  writeFileSync(path, '');
  const { database } = await open(t, {}, path);
  await insertUser(database, 'ada');
  assert.deepEqual(await names(database), ['ada']);
});
