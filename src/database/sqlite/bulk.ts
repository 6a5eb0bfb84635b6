import { existsSync, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { AnyTables, BulkOptions, BulkSource, BulkTable, BulkTarget } from '../bulk.ts';
import { DatabaseRefused } from '../errors.ts';
import { SqliteConnection } from './connection.ts';
import { checkWhole } from './copy.ts';
import { createFolder } from './create.ts';
import { kysely } from './dialect.ts';
import { Draft } from './draft.ts';
import { failureOf } from './failures.ts';
import { openSqlite } from './open.ts';
import { ReadDriver } from './read-driver.ts';
import { checkUnused, holdAlone, holdsData } from './takeover.ts';

/** Nobody else has the file open meanwhile. Throws `DatabaseRefused`. */
export async function readSqlite(path: string, options: BulkOptions): Promise<BulkSource> {
  try {
    if (!existsSync(path)) throw new DatabaseRefused('is not there');
    checkUnused(path);
  } catch (error) {
    throw failureOf(`the database ${path}`, error);
  }
  await (await openSqlite(path, { ...options, migrate: false })).close();
  const raw = holdAlone(path);
  raw.exec('begin');
  return {
    ...contentsOf(path, raw),
    // The lock kept everybody out.
    confirm: async () => {},
    [Symbol.asyncDispose]: async () => raw[Symbol.dispose](),
  };
}

/** A file that appears whole or not at all, and only where there is none. Throws `DatabaseRefused`. */
export async function fillSqlite(path: string, options: BulkOptions): Promise<BulkTarget> {
  try {
    if (isTaken(path)) throw new DatabaseRefused('is there already');
    createFolder(dirname(path));
    await using undo = new AsyncDisposableStack();
    const draft = undo.use(new Draft(path));
    await (await openSqlite(draft.path, options)).close();
    const raw = undo.use(new DatabaseSync(draft.path, { timeout: 0 }));
    // Nobody reads it before it is whole, and nothing of it is kept when it never gets there.
    raw.exec('pragma journal_mode = delete; pragma synchronous = off; pragma foreign_keys = on; begin');
    const opened = undo.move();
    return {
      ...contentsOf(path, raw),
      async publish() {
        raw.exec('commit');
        checkWhole(raw);
        raw.close();
        if (isTaken(path)) throw new DatabaseRefused(`the database ${path} has been made meanwhile`);
        draft.publish();
      },
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  } catch (error) {
    throw failureOf(`the database ${path}`, error);
  }
}

/** By whatever has the name, be it an empty file or a link to nowhere: a draft gets there only where there is nothing. */
function isTaken(path: string): boolean {
  return holdsData(path) || lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function contentsOf(path: string, raw: DatabaseSync) {
  const what = `the database ${path}`;
  return { what, tables: describe(raw), db: kysely<AnyTables>(new ReadDriver(new SqliteConnection(raw))) };
}

function describe(raw: DatabaseSync): BulkTable[] {
  const names = raw
    .prepare(
      `select name from sqlite_schema
      where type = 'table' and name <> 'migrations' and name not like 'sqlite~_%' escape '~' order by name`,
    )
    .all();
  return names.map(({ name }) => {
    const table = String(name);
    const columns = raw.prepare('select name, pk from pragma_table_info(?)').all(table);
    const others = raw.prepare('select distinct "table" as name from pragma_foreign_key_list(?)').all(table);
    return {
      name: table,
      columns: columns.map(column => String(column['name'])),
      keys: columns.filter(({ pk }) => pk !== 0).map(column => String(column['name'])),
      json: [],
      refersTo: others.map(other => String(other['name'])),
    };
  });
}
