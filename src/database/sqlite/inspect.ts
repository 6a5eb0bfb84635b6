import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { DatabaseOptions } from '../engine.ts';
import { DatabaseRefused } from '../errors.ts';
import { type Migration, pendingMigrations } from '../migrations.ts';
import { isDamage } from './failures.ts';
import { applicationId } from './migrate.ts';
import { patience, untilFree, type World } from './patience.ts';

/**
 * What is still to be applied. Throws when the file is not one to work with, and changes nothing. Waits for one that is
 * locked. Looks through SQLite alone: closing a file that SQLite has open in this process would drop SQLite's
 * locks.
 */
export async function inspect(
  path: string,
  migrations: readonly Migration[],
  accept: NonNullable<DatabaseOptions['accept']>,
  world: World,
): Promise<readonly Migration[]> {
  return await untilFree(() => look(path, migrations, accept), world.monotonic() + patience, world);
}

function look(
  path: string,
  migrations: readonly Migration[],
  accept: NonNullable<DatabaseOptions['accept']>,
): readonly Migration[] {
  const logged = size(`${path}-wal`) > 0;
  const length = size(path);
  // SQLite takes both of these for new databases.
  if (length > 0 && length < smallestPage)
    throw new DatabaseRefused('is not an SQLite database, or was cut short');
  if (logged && length === 0) throw new DatabaseRefused('is damaged: it is empty but its log is not');
  // Without locks and without the log, so without making any file.
  const untouched = pathToFileURL(path);
  untouched.searchParams.set('immutable', '1');
  using alone = new DatabaseSync(untouched, { readOnly: true });
  if (!logged) return examine(alone, migrations, accept);
  // A file whose log waits to be copied back may be half old and half new; that it is SQLite's is certain all the same.
  try {
    alone.prepare('pragma schema_version').get();
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  using whole = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  return examine(whole, migrations, accept);
}

/** Throws `DatabaseRefused` when it is neither empty nor ours, known and undamaged as far as a short look can tell. */
export function examine(
  database: DatabaseSync,
  migrations: readonly Migration[],
  accept: NonNullable<DatabaseOptions['accept']>,
): readonly Migration[] {
  const id = number(database, 'pragma application_id');
  const empty = number(database, 'select count(*) from sqlite_schema') === 0;
  if (id === 0 && empty) return migrations;
  if (id !== applicationId) throw new DatabaseRefused('is not a Plinth database');
  if (number(database, 'pragma page_count') * number(database, 'pragma page_size') <= checkedWhole) {
    const [finding] = Object.values(database.prepare('pragma quick_check(1)').get() ?? {});
    if (finding !== 'ok') throw new DatabaseRefused(`is damaged: ${finding}`);
  }
  const history = "select count(*) from sqlite_schema where name = 'migrations'";
  if (number(database, history) === 0)
    throw new DatabaseRefused('is damaged: it has no history of migrations');
  const applied = database.prepare('select name from migrations').all();
  const pending = pendingMigrations(
    migrations,
    applied.map(({ name }) => String(name)),
  );
  const facts = database.prepare('select name, value from instance').all();
  const objection = accept(new Map(facts.map(({ name, value }) => [String(name), String(value)])));
  if (objection !== undefined) throw new DatabaseRefused(objection);
  return pending;
}

export const acceptAny = () => undefined;

const smallestPage = 512;

/** Bytes up to which every page is looked at; it takes about two milliseconds each MiB. */
const checkedWhole = 64 * 2 ** 20;

export function number(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0]);
}

/** Bytes; 0 where there is no file. */
export function size(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
