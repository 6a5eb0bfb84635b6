import { accessSync, constants, existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { DatabaseRefused } from '../errors.ts';
import { syncFolders } from './create.ts';
import type { Draft } from './draft.ts';
import { isBusy, isUnreadable } from './failures.ts';
import { number, size } from './inspect.ts';
import { applicationId } from './migrate.ts';

/** Whether there is anything in the database, or in a log that its file has lost. */
export function holdsData(path: string): boolean {
  return size(path) > 0 || size(`${path}-wal`) > 0;
}

/** Throws `DatabaseRefused` when anybody has the database open now. */
export function checkUnused(path: string): void {
  if (size(path) > 0) holdAlone(path)[Symbol.dispose]();
}

/**
 * Puts a draft in the place of a database, which gets the name `keptAs`; whether there was one. Nobody has it open
 * meanwhile. Whoever is about to open it waits for our lock, and SQLite lets nobody begin to write to a file that has
 * lost its name. At each moment the place holds the old database or the new one.
 *
 * Throws `DatabaseRefused` when it is in use, belongs to another program, or is there and has no other name to get.
 */
export function takePlace(draft: Draft, path: string, keptAs?: string): boolean {
  const kept = holdsData(path);
  if (kept && keptAs === undefined) throw new DatabaseRefused('is there already');
  // SQLite deletes the log of a file that it finds empty.
  if (size(path) === 0 && keptAs !== undefined) moveLogs(path, keptAs);
  if (!existsSync(path)) {
    draft.publish();
    return kept;
  }
  const before = inode(path);
  using hold = holdAlone(path);
  const readable = endLog(hold);
  if (inode(path) !== before) throw new DatabaseRefused('was replaced by somebody else just now');
  if (size(path) > 0 && keptAs !== undefined) linkSync(path, keptAs);
  // A log that stayed would be taken for the new database's.
  if (!readable && keptAs !== undefined) moveLogs(path, keptAs);
  rmSync(`${path}-shm`, { force: true });
  draft.replace();
  return kept;
}

/**
 * A connection beside which there is no other: this file system of SQLite's locks the whole file from the first look
 * on, whatever is in it. https://sqlite.org/vfs.html
 */
export function holdAlone(path: string): DatabaseSync {
  // A file that cannot be written would be opened for reading only, and shared.
  accessSync(path, constants.W_OK);
  const url = pathToFileURL(path);
  url.searchParams.set('vfs', 'unix-excl');
  const hold = new DatabaseSync(url, { timeout: 0 });
  try {
    hold.exec('pragma locking_mode = exclusive; pragma fullfsync = on; pragma checkpoint_fullfsync = on');
    const empty = number(hold, 'select count(*) from sqlite_schema') === 0;
    if (!empty && number(hold, 'pragma application_id') !== applicationId)
      throw new DatabaseRefused('is not a Plinth database, and stays');
  } catch (error) {
    if (isUnreadable(error)) return hold;
    hold.close();
    if (isBusy(error)) throw new DatabaseRefused('is in use: stop the service first');
    throw error;
  }
  return hold;
}

/** Everything into the one file, and no log beside it. False where nothing can be made of the file. */
function endLog(hold: DatabaseSync): boolean {
  try {
    hold.exec('pragma journal_mode = delete; begin exclusive');
    return true;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return false;
  }
}

function moveLogs(path: string, keptAs: string): void {
  for (const suffix of ['-wal', '-journal']) {
    if (size(path + suffix) > 0) renameSync(path + suffix, keptAs + suffix);
    else rmSync(path + suffix, { force: true });
  }
  syncFolders(dirname(path), dirname(path));
}

function inode(path: string): bigint | undefined {
  return statSync(path, { throwIfNoEntry: false, bigint: true })?.ino;
}
