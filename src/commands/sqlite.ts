import { resolve } from 'node:path';
import type { Contents, CopyOptions } from '../database/sqlite/copy.ts';
import { sqlitePath } from '../database.ts';
import { CommandRefused } from './command.ts';
import { interruptible } from './interruption.ts';
import { Progress, type Terminal } from './progress.ts';

/** The file of the service's database. Throws `CommandRefused` when it has none: `instead` says what to do then. */
export function databaseFile(databaseUrl: string, instead: string): string {
  const path = sqlitePath(databaseUrl);
  if (path === undefined) throw new CommandRefused(`this is for SQLite; ${instead}`);
  if (path === ':memory:') throw new CommandRefused('a database in memory ends with its service');
  return resolve(path);
}

/** Runs what copies a database: with a bar on a terminal, until it is interrupted. */
export async function copying<T>(terminal: Terminal, work: (options: CopyOptions) => Promise<T>): Promise<T> {
  using progress = new Progress(terminal);
  const onProgress = (done: number, total: number): void =>
    progress.show(done < total ? 'copying' : 'checking', done, total);
  try {
    return await interruptible(signal => work({ signal, onProgress }));
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new CommandRefused(error.message, { cause: error });
  }
}

/** Rows by table, in one line. */
export function listed(contents: Contents): string {
  return [...contents].map(([table, rows]) => `${rows} ${table}`).join(', ');
}
