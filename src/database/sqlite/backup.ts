import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { DatabaseOptions } from '../engine.ts';
import { DatabaseRefused } from '../errors.ts';
import { loadMigrations, type Migration, migrationsFolder } from '../migrations.ts';
import { type Contents, type CopyOptions, checkWhole, copyDatabase, openSource } from './copy.ts';
import { Draft } from './draft.ts';
import { failureOf } from './failures.ts';
import { acceptAny, examine, inspect } from './inspect.ts';
import { worldWith } from './patience.ts';

export interface BackupOptions extends CopyOptions {
  /** Takes the place of a file that is there; else that is an error, `EEXIST`. */
  readonly overwrite?: boolean;
}

/**
 * Writes the database `path` as it is at one moment to the file `to`, while others use it. What gets there is durable,
 * has been opened and checked whole, and has all that was acknowledged before this began.
 * Throws `DatabaseRefused` where the database is not one to work with, `DatabaseUnavailable`, errors of the file system.
 */
export async function backUpSqlite(
  path: string,
  to: string,
  { overwrite = false, ...options }: BackupOptions = {},
): Promise<Contents> {
  const migrations = await loadMigrations(migrationsFolder);
  try {
    if (!existsSync(path)) throw new DatabaseRefused('is not there');
    for (const part of ['', '-wal', '-shm', '-journal'])
      if (isSameFile(path + part, to)) throw new DatabaseRefused(`cannot be its own backup, ${to}`);
    await inspect(path, migrations, acceptAny, worldWith());
    using draft = new Draft(to);
    using source = openSource(path);
    const contents = await copyDatabase(source, draft.path, options);
    checkCopy(draft.path, contents, migrations);
    if (overwrite) draft.replace();
    else draft.publish();
    return contents;
  } catch (error) {
    throw failureOf(`the database ${path}`, error);
  }
}

/** Opens a copy and looks at all of it. Throws `DatabaseRefused` unless it is sound, ours and accepted. */
export function checkCopy(
  path: string,
  contents: Contents,
  migrations: readonly Migration[],
  accept: NonNullable<DatabaseOptions['accept']> = acceptAny,
): void {
  using copy = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  examine(copy, migrations, accept);
  if (contents.size === 0) throw new DatabaseRefused('is empty');
  checkWhole(copy, contents);
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map(path => statSync(path, { throwIfNoEntry: false, bigint: true }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}
