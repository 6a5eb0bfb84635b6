import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Config, readConfig } from './config.ts';
import { DatabaseRefused } from './database/errors.ts';
import { readEnvironment } from './environment.ts';
import { SecretRefused, secretBeside } from './secret.ts';

/**
 * Starts the service in the place of this process, under Node's permission model: it reads its own code and what its
 * settings name, writes where its data lie, and starts no program. `bin/start.js` gives up, once it listens, what was
 * for the start alone. See docs/decisions/permissions.md.
 */

const root = fileURLToPath(new URL('..', import.meta.url));

/** The settings, and the name by which Linux knows a hashing thread, which gives way to the event loop by it. */
const looked = [resolve('.env'), '/proc/thread-self'];

// After the word "confined": what a service that does more than ours needs, such as --allow-fs-read=/some/folder.
const more = process.argv.slice(3);
const unknown = more.filter(flag => !flag.startsWith('--allow-'));

if (!process.execve || process.platform === 'win32') {
  refuse('a process cannot be replaced on this system: use npm start');
} else if (unknown.length > 0) {
  refuse(
    `${unknown.join(' ')}: what can be given here are permissions of Node, as --allow-fs-read=/some/folder`,
  );
} else {
  const flags = [...process.execArgv, ...more, ...(await permissions())];
  const start = join(root, 'bin/start.js');
  process.execve(process.execPath, [process.execPath, ...flags, start], process.env);
}

function refuse(reason: string): void {
  process.stderr.write(`${reason}\n`);
  // sysexits.h: the configuration is at fault.
  process.exitCode = 78;
}

async function permissions(): Promise<string[]> {
  const places = await prepare();
  const forTheStart = [join(root, 'node_modules/.cache/plinth'), ...places];
  // Sorted, a folder comes before what is in it. The other way around Node allows all that is in it, and not the folder.
  const readable = [...code(), ...looked, ...forTheStart].sort();
  return [
    '--permission',
    ...readable.map(path => `--allow-fs-read=${path}`),
    ...forTheStart.map(path => `--allow-fs-write=${path}`),
    '--allow-net',
    '--allow-worker',
    // That a worker could undo all this, and that the flag for networks is new.
    '--disable-warning=PERM0006',
    '--disable-warning=ExperimentalWarning',
  ];
}

/** `node_modules` may lie further up, as in a repository of several packages. */
function code(): string[] {
  const own = ['bin', 'src', 'migrations', 'package.json'].map(name => join(root, name));
  const modules: string[] = [];
  for (let folder = root; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules');
    if (existsSync(found)) modules.push(found, realpathSync(found));
    if (folder === dirname(folder)) return [...own, ...modules];
  }
}

/** Makes what has to be synced to the disk when it is made, which the model forbids; the files and folders of the database. */
async function prepare(): Promise<string[]> {
  try {
    const { databaseUrl, secret, migrate } = readConfig(readEnvironment());
    return databaseUrl.startsWith('sqlite:')
      ? await prepareFolder({ databaseUrl, secret, migrate })
      : certificates(databaseUrl);
  } catch (error) {
    if (error instanceof SecretRefused || error instanceof DatabaseRefused) {
      refuse(error.message);
      process.exit();
    }
    // The service finds the same, and says it.
    return [];
  }
}

async function prepareFolder({
  databaseUrl,
  secret,
  migrate,
}: Pick<Config, 'databaseUrl' | 'secret' | 'migrate'>): Promise<string[]> {
  const path = databaseUrl.slice('sqlite:'.length);
  if (path === ':memory:') return [];
  if (!existsSync(path) && migrate) {
    if (!secret) secretBeside(databaseUrl);
    // At the first start alone, because it loads half of the program.
    const { openDatabase } = await import('./database.ts');
    await (await openDatabase(databaseUrl)).close();
  }
  const folder = dirname(resolve(path));
  // Both: what is asked for by a link is looked up as it was asked for.
  return [folder, realpathSync(folder)];
}

/** Of a PostgreSQL server, where a file has them. */
function certificates(databaseUrl: string): string[] {
  const file = new URL(databaseUrl).searchParams.get('sslrootcert');
  return file === null || file === 'system' ? [] : [resolve(file)];
}
