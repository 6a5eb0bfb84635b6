import { backup, DatabaseSync } from 'node:sqlite';
import { DatabaseRefused } from '../errors.ts';
import { translated } from './failures.ts';
import { number } from './inspect.ts';
import { patience } from './patience.ts';

/** Rows of each table, by its name. */
export type Contents = ReadonlyMap<string, number>;

export interface CopyOptions {
  /** Told of pages, again and again. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends it between two steps; what was begun rejects with the reason. */
  readonly signal?: AbortSignal;
}

/**
 * Copies a database as it is at one moment into the file `to`, page by page in a thread, while others write to it. The
 * read transaction that is held meanwhile is what makes it one moment: without it SQLite begins anew after every
 * commit of another connection, and under load never ends. The log grows meanwhile by what is written.
 *
 * The copy is one file that needs no log beside it, and has the rows that are returned.
 */
export async function copyDatabase(
  source: DatabaseSync,
  to: string,
  { onProgress = () => {}, signal }: CopyOptions = {},
): Promise<Contents> {
  try {
    source.exec('begin');
    const contents = countRows(source);
    signal?.throwIfAborted();
    const pages = await backup(source, to, {
      rate: pagesAtOnce,
      progress: ({ totalPages, remainingPages }) => {
        signal?.throwIfAborted();
        onProgress(totalPages - remainingPages, totalPages);
      },
    });
    signal?.throwIfAborted();
    onProgress(pages, pages);
    using copy = new DatabaseSync(to, { timeout: 0 });
    copy.exec('pragma journal_mode = delete; pragma fullfsync = on');
    return contents;
  } catch (error) {
    throw translated(error);
  } finally {
    if (source.isTransaction) source.exec('rollback');
  }
}

/**
 * A connection to a database that may be in use. It can write for the sake of what it leaves behind: one that only
 * reads leaves a log and its index where there were none.
 */
export function openSource(path: string): DatabaseSync {
  const source = new DatabaseSync(path, { timeout: patience });
  source.exec('pragma fullfsync = on; pragma checkpoint_fullfsync = on');
  return source;
}

export function countRows(database: DatabaseSync): Contents {
  const tables = database
    .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite~_%' escape '~'")
    .all();
  return new Map(
    tables.map(({ name }) => {
      const table = String(name);
      return [table, number(database, `select count(*) from "${table.replaceAll('"', '""')}"`)];
    }),
  );
}

/** Throws `DatabaseRefused` when a page, an index, a reference or the number of rows is not as it has to be. */
export function checkWhole(database: DatabaseSync, expected?: Contents): void {
  const [finding] = Object.values(database.prepare('pragma integrity_check(1)').get() ?? {});
  if (finding !== 'ok') throw new DatabaseRefused(`is damaged: ${finding}`);
  const { table } = database.prepare('pragma foreign_key_check').get() ?? {};
  if (table) throw new DatabaseRefused(`is damaged: rows of ${table} refer to none`);
  const found = countRows(database);
  for (const [name, rows] of expected ?? []) {
    if (found.get(name) !== rows)
      throw new DatabaseRefused(`is not whole: ${found.get(name)} of ${rows} ${name}`);
  }
}

/** 4 MiB at SQLite's size of a page. */
const pagesAtOnce = 1024;
