import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { DatabaseOptions } from '../engine.ts';
import { DatabaseRefused } from '../errors.ts';
import { loadMigrations, type Migration, migrationsFolder } from '../migrations.ts';
import { checkCopy } from './backup.ts';
import { type Contents, type CopyOptions, copyDatabase, openSource } from './copy.ts';
import { createFolder } from './create.ts';
import { Draft } from './draft.ts';
import { failureOf } from './failures.ts';
import { inspect } from './inspect.ts';
import { openSqlite } from './open.ts';
import { worldWith } from './patience.ts';
import { checkUnused, holdsData, takePlace } from './takeover.ts';

export interface RestoreOptions extends CopyOptions, Required<Pick<DatabaseOptions, 'accept'>> {
  /** The name that a database in this place gets when it is to give way; without it, it stays and this is refused. */
  readonly keepAs?: string;
}

export interface Restored {
  readonly contents: Contents;
  /** Whether there was a database, which has the other name now. */
  readonly kept: boolean;
}

/**
 * Makes the backup `file` the database `path`: that changes in one step, after everything that can be wrong with the
 * backup has been looked for in a copy of it, which has been brought up to date with the program.
 * Throws `DatabaseRefused`, and has changed nothing then.
 */
export async function restoreSqlite(
  file: string,
  path: string,
  { keepAs, ...options }: RestoreOptions,
): Promise<Restored> {
  const migrations = await loadMigrations(migrationsFolder);
  try {
    if (keepAs === undefined && holdsData(path)) throw new DatabaseRefused('is there already');
    checkUnused(path);
    createFolder(dirname(path));
  } catch (error) {
    throw failureOf(`the database ${path}`, error);
  }
  using draft = new Draft(path);
  const contents = await prepare(file, draft.path, migrations, options);
  try {
    const kept = takePlace(draft, path, keepAs);
    return { contents, kept };
  } catch (error) {
    throw failureOf(`the database ${path}`, error);
  }
}

/** A copy of the backup that the program can open: shown by opening it, which brings it up to date. */
async function prepare(
  file: string,
  draft: string,
  migrations: readonly Migration[],
  { accept, ...options }: Omit<RestoreOptions, 'keepAs'>,
): Promise<Contents> {
  try {
    if (!existsSync(file)) throw new DatabaseRefused('is not there');
    await inspect(file, migrations, accept, worldWith());
    using source = openBackup(file);
    const contents = await copyDatabase(source, draft, options);
    checkCopy(draft, contents, migrations, accept);
    const database = await openSqlite(draft, { accept });
    await database.close();
    return contents;
  } catch (error) {
    throw failureOf(`the backup ${file}`, error);
  }
}

/** A backup is a file at rest, perhaps where nothing can be written; beside a log it is read like any database. */
function openBackup(file: string): DatabaseSync {
  if (existsSync(`${file}-wal`) || existsSync(`${file}-shm`)) return openSource(file);
  const atRest = pathToFileURL(file);
  atRest.searchParams.set('immutable', '1');
  return new DatabaseSync(atRest, { readOnly: true });
}
