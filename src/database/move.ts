import type { Kysely } from 'kysely';
import { type AnyTables, type BulkSource, type BulkTable, type BulkTarget, inOrder } from './bulk.ts';
import { Checksum } from './checksum.ts';
import { DatabaseRefused, DatabaseUnavailable } from './errors.ts';

export interface MoveOptions {
  /** Told of rows, again and again: `copying` or `checking` a table. */
  readonly onProgress?: (what: string, done: number, total: number) => void;
  /** Ends it between two batches; what was begun rejects with the reason. */
  readonly signal?: AbortSignal;
}

/** What has become of a table. */
export interface MovedTable {
  readonly name: string;
  readonly rows: number;
  readonly checksum: string;
}

/**
 * Writes all rows of all tables of one database to another, in batches, and reads them there again: as many, and with
 * the same checksum. Then publishes them. Throws `DatabaseRefused` or `DatabaseUnavailable`, and nothing was published
 * then, unless the connection was lost in that very moment.
 */
export async function moveRows(
  source: BulkSource,
  target: BulkTarget,
  options: MoveOptions = {},
): Promise<MovedTable[]> {
  const moved: MovedTable[] = [];
  for (const table of inOrder(source.tables)) {
    const other = target.tables.find(({ name }) => name === table.name);
    if (other?.columns.toSorted().join() !== table.columns.toSorted().join())
      throw new DatabaseRefused(`${target.what} does not have the same table ${table.name}`);
    moved.push(await moveTable(source, target, table, [...table.json, ...other.json], options));
  }
  await source.confirm();
  await target.publish();
  return moved;
}

async function moveTable(
  { db: from }: BulkSource,
  target: BulkTarget,
  table: BulkTable,
  json: readonly string[],
  { onProgress = () => {}, signal }: MoveOptions,
): Promise<MovedTable> {
  const { name, columns } = table;
  const { total } = await from
    .selectFrom(name)
    .select(({ fn }) => fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  const [read, found] = [new Checksum(columns, json), new Checksum(columns, json)];
  for await (const rows of batches(from, table)) {
    signal?.throwIfAborted();
    for (const row of rows) read.add(row);
    await insert(target, name, rows);
    onProgress(`copying ${name}`, read.rows, total);
  }
  for await (const rows of batches(target.db, table)) {
    signal?.throwIfAborted();
    for (const row of rows) found.add(row);
    onProgress(`checking ${name}`, found.rows, total);
  }
  if (!found.equals(read)) {
    throw new DatabaseRefused(
      `${target.what} keeps the ${name} differently: ${found.rows} of ${read.rows} rows, checksum ${found.text} instead of ${read.text}`,
    );
  }
  return { name, rows: found.rows, checksum: found.text };
}

/** All rows in the order of their key, some at a time. */
async function* batches(db: Kysely<AnyTables>, { name, keys, columns }: BulkTable) {
  const [key, ...others] = keys;
  if (key === undefined || others.length > 0) throw new Error(`${name} needs a primary key of one column`);
  // Each value of an insert is a parameter; SQLite takes 32,766, PostgreSQL 65,535.
  const limit = Math.min(1000, Math.floor(30_000 / columns.length));
  let last: unknown;
  for (;;) {
    const from = db.selectFrom(name).selectAll().orderBy(key).limit(limit);
    const rows = await (last === undefined ? from : from.where(key, '>', last)).execute();
    if (rows.length > 0) yield rows;
    if (rows.length < limit) return;
    last = rows.at(-1)?.[key];
  }
}

async function insert(
  { db, what }: BulkTarget,
  table: string,
  rows: readonly Record<string, unknown>[],
): Promise<void> {
  try {
    await db.insertInto(table).values(rows).execute();
  } catch (error) {
    if (error instanceof DatabaseUnavailable || !(error instanceof Error)) throw error;
    throw new DatabaseRefused(`${what} cannot take one of the ${table}: ${error.message}`, { cause: error });
  }
}
