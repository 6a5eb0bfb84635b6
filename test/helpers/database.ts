import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, openDatabase } from '../../src/database.ts';
import { temporaryFolder } from './folder.ts';
import { dump, emptyDatabase, migratedDatabase, onPostgres } from './postgres/databases.ts';
import type { Scope } from './scope.ts';

export { onPostgres };

/** A new database of one's own on the engine that this run is about, gone with the test or its file: the URL of it. */
export async function newDatabase(
  t: Scope,
  content: 'nothing' | 'today’s schema' = 'today’s schema',
): Promise<string> {
  if (onPostgres) return await (content === 'nothing' ? emptyDatabase() : migratedDatabase());
  return `sqlite:${join(temporaryFolder(t), 'test.db')}`;
}

/** A folder to run the service or a command in, on a database of its own. Gone with the test. */
export async function serviceFolder(t: Scope): Promise<string> {
  const folder = temporaryFolder(t);
  if (onPostgres) {
    const settings = { DATABASE_URL: await migratedDatabase(), SECRET: secret };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(folder, '.env'), lines.join(''));
  }
  return folder;
}

/** The database and the secret of such a folder, once the service was there. */
export function contentOf(folder: string): { readonly url: string; readonly secret: string } {
  if (!onPostgres) {
    const data = join(folder, 'data');
    return {
      url: `sqlite:${join(data, 'plinth.db')}`,
      secret: readFileSync(join(data, 'secret'), 'utf8').trimEnd(),
    };
  }
  const [, url = ''] = /^DATABASE_URL=(.*)$/m.exec(readFileSync(join(folder, '.env'), 'utf8')) ?? [];
  return { url, secret };
}

/** An opening of the database for as long as `work` takes. */
export async function withDatabase<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase(url);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Everything that a database holds: the bytes of its files, or all rows as text. */
export async function stored(url: string): Promise<Buffer> {
  if (onPostgres) return Buffer.from(await dump(url));
  const path = url.replace(/^sqlite:/, '');
  return Buffer.concat([path, `${path}-wal`].filter(existsSync).map(file => readFileSync(file)));
}

const secret = 'Zr0u8Jt5mQxWc2Lb7Vn4Ks9Dp1Fg6Hy3Ta0Ei5Ro8Nw';
