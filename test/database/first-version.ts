import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { openDatabase } from '../../src/database.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { insertUser } from './support.ts';

/** Leaves a database as the first version did, with one person in it. */
export async function makeFirstVersion(t: TestContext, url: string): Promise<string> {
  const database = await openDatabase(url, { migrations: migrationsWith(t, {}) });
  await insertUser(database, 'ada');
  await database.close();
  return url;
}

/** The project's first migration and some others, by file name. */
export function migrationsWith(t: TestContext, files: Readonly<Record<string, string>>): URL {
  const path = temporaryFolder(t);
  const own = new URL('../../migrations/0001_accounts.ts', import.meta.url).href;
  writeFileSync(join(path, '0001_accounts.ts'), `export { up } from '${own}';`);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return pathToFileURL(`${path}/`);
}
