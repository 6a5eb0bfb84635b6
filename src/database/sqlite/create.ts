import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
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

/** With those above it, unless it is there. */
export function createFolder(path: string): void {
  const created = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (created !== undefined) syncFolders(dirname(path), dirname(created));
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
