import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

export type EngineName = 'sqlite' | 'postgres';

const root = new URL('../../', import.meta.url).pathname;
/** What has to do with a database: the way to one, and the service and the commands as processes. */
const databases = ['src/database.ts', 'test/helpers/process.ts', 'test/helpers/plinth.ts'];
/** The way to a browser, which is slow, and sees nothing of the database. */
const browser = 'test/helpers/browser.ts';

/** Every test file, as a path from the project's folder. */
export function testFiles(): string[] {
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
  return files.filter(file => file.endsWith('.test.ts')).map(file => `test/${file.replaceAll('\\', '/')}`);
}

/**
 * The engines that a test has to run on. What is about one of them lies in its folder; everything else that can reach a
 * database by its imports runs on both, and what cannot, or needs a browser, runs once, beside those on SQLite.
 */
export function enginesOf(file: string): readonly EngineName[] {
  if (file.startsWith('test/database/sqlite/')) return ['sqlite'];
  if (file.startsWith('test/database/postgres/')) return ['postgres'];
  const reached = reachable(file);
  if (reached.has(browser)) return ['sqlite'];
  return databases.some(name => reached.has(name)) ? ['sqlite', 'postgres'] : ['sqlite'];
}

/** The files of the project that are loaded with this one. */
function reachable(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file) || !file.endsWith('.ts') || !existsSync(join(root, file))) return seen;
  seen.add(file);
  const text = readFileSync(join(root, file), 'utf8');
  for (const [, from, dynamic = from] of text.matchAll(imports))
    reachable(posix.join(dirname(file), dynamic ?? ''), seen);
  return seen;
}

/** Those that are there at run time, and whatever a program in a string would import. */
const imports = /(?:^|;|\s)(?:import|export)(?! type)[^;']*?from '(\.[^']+)'|(?:import|URL)\('(\.[^']+)'/gm;
