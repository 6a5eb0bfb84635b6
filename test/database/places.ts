import type { TestContext } from 'node:test';
import type { DatabaseOptions } from '../../src/database/engine.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { newDatabase, onPostgres } from '../helpers/database.ts';

/** Where the engine that this run is about can have a database. */
export const places = onPostgres ? (['server'] as const) : (['file', 'memory'] as const);

export type Place = (typeof places)[number];

/** A database that is closed with the test; a new one unless told otherwise. */
export async function openAt(
  t: TestContext,
  place: Place,
  url?: string,
  options: DatabaseOptions = {},
): Promise<{ readonly database: Database; readonly url: string }> {
  const opened = url ?? (place === 'memory' ? 'sqlite::memory:' : await newDatabase(t));
  const database = await openDatabase(opened, options);
  t.after(() => database.close());
  return { database, url: opened };
}
