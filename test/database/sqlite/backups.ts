import assert from 'node:assert/strict';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { backUpSqlite } from '../../../src/database/sqlite/backup.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { insertUser } from '../support.ts';
import { directly, open } from './support.ts';

export interface TwoStates {
  /** A database that nobody has open: ada, bea, cyd; in `shared` both. */
  readonly path: string;
  /** A backup of it from before: ada, bea. */
  readonly backup: string;
}

export async function twoStates(t: TestContext, shared?: string): Promise<TwoStates> {
  const path = join(shared ?? temporaryFolder(t), 'plinth.db');
  const { database } = await open(t, {}, path);
  const backup = join(shared ?? temporaryFolder(t), 'backup.db');
  for (const name of ['ada', 'bea']) await insertUser(database, name);
  await backUpSqlite(path, backup);
  await insertUser(database, 'cyd');
  await database.close();
  return { path, backup };
}

/** Looked at in a copy, with its log: what is there stays as it is. */
export function peopleIn(path: string): string[] {
  const looked = `${path}.looked-at`;
  for (const suffix of ['', '-wal', '-journal'])
    if (existsSync(path + suffix)) copyFileSync(path + suffix, looked + suffix);
  try {
    assert.deepEqual(soundness(looked), ['ok']);
    return directly(looked, raw => raw.prepare('select email from users order by email').all()).map(
      ({ email }) => String(email).replace('@example.com', ''),
    );
  } finally {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(looked + suffix, { force: true });
  }
}

export function soundness(path: string): unknown[] {
  return directly(path, raw => raw.prepare('pragma integrity_check').all()).map(
    row => row['integrity_check'],
  );
}
