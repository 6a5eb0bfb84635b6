import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseRefused } from '../errors.ts';

/** Makes an empty file that only its owner can read, in folders likewise, unless something is there. */
export function createFile(path: string): void {
  try {
    createFolder(dirname(path));
    // In one synchronous step: closing a file that SQLite has open in this process would drop SQLite's locks.
    closeSync(openSync(path, 'wx', 0o600));
    syncFolders(dirname(path), dirname(path));
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && syscall === 'open') return;
    throw new DatabaseRefused(`cannot be created: ${message}`, { cause: error });
  }
}

/**
 * With those above it, unless it is there. One by one: Node's `recursive` never ends where the system says that the folder
 * above is not there although it is, as below `/proc`.
 */
export function createFolder(path: string): void {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      // Another process was first.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    syncFolders(dirname(folder), dirname(folder));
  }
}

/** A new name survives power loss when the folder that has it is synced. Windows does so by itself. */
export function syncFolders(from: string, to: string): void {
  if (process.platform === 'win32') return;
  for (let folder = from; ; folder = dirname(folder)) {
    const opened = openSync(folder, 'r');
    fsyncSync(opened);
    closeSync(opened);
    if (folder === to) return;
  }
}
