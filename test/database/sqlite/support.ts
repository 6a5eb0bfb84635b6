import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import type { DatabaseOptions } from '../../../src/database/engine.ts';
import { openDatabase } from '../../../src/database.ts';
import { temporaryFolder } from '../../helpers/folder.ts';

/** A database that is closed with the test; in a file of its own unless told otherwise. */
export async function open(
  t: TestContext,
  options: DatabaseOptions = {},
  path = join(temporaryFolder(t), 'plinth.db'),
) {
  const database = await openDatabase(`sqlite:${path}`, options);
  t.after(() => database.close());
  return { database, path };
}

/** The names and the bytes of the files in a folder. Only where nobody has a database open in it. */
export function fingerprint(path: string): Record<string, string> {
  const files = readdirSync(path, { withFileTypes: true }).filter(entry => entry.isFile());
  return Object.fromEntries(
    files.map(({ name }) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(path, name)))
        .digest('hex'),
    ]),
  );
}

/** For what the interface does not offer: a plain connection, closed at once. */
export function directly<T>(path: string, work: (raw: DatabaseSync) => T): T {
  using raw = new DatabaseSync(path);
  return work(raw);
}
