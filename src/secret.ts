import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSecret } from './config.ts';
import { createFolder, syncFolders } from './database/sqlite/create.ts';

/** The secret cannot be had. The message says why, for the operator, and never what the secret is. */
export class SecretRefused extends Error {
  override readonly name = 'SecretRefused';
}

/** There is a database, or something else of its name, but not the secret that should lie beside it. */
export class SecretGone extends SecretRefused {}

/**
 * The secret that lies beside a SQLite database; made, once, together with the database. An existing database without
 * one is refused with `SecretGone`: a new secret could open nothing in it. `databaseUrl`: `sqlite:PATH` or `sqlite::memory:`.
 */
export function secretBeside(databaseUrl: string): Uint8Array {
  const path = databaseUrl.slice('sqlite:'.length);
  if (path === ':memory:') return randomBytes(32);
  return access(fileOfSecret(databaseUrl), file => readOrMake(file, path));
}

/** The same, but never made: for what belongs to a secret already. */
export function existingSecret(databaseUrl: string): Uint8Array {
  return access(fileOfSecret(databaseUrl), file => {
    if (existsSync(file)) return read(file);
    throw new SecretRefused(`the secret ${file} is not there: bring it back or set SECRET`);
  });
}

export function fileOfSecret(databaseUrl: string): string {
  return join(dirname(databaseUrl.slice('sqlite:'.length)), 'secret');
}

function access(file: string, work: (file: string) => Uint8Array): Uint8Array {
  try {
    return work(file);
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new SecretRefused(`the secret ${file} cannot be read or made: ${error.message}`, { cause: error });
  }
}

function readOrMake(file: string, path: string): Uint8Array {
  if (!existsSync(file)) {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) {
      throw new SecretGone(`${path} is there but its secret, ${file}, is not: bring it back or set SECRET`);
    }
    makeSecret(file);
  }
  return read(file);
}

function read(file: string): Uint8Array {
  const secret = parseSecret(readFileSync(file, 'utf8').trimEnd());
  if (!secret) throw new SecretRefused(`${file} does not hold at least 32 random bytes in base64url`);
  return secret;
}

/** Whole or not at all, and on disk before anything is encrypted with it; the first of two processes wins. */
function makeSecret(file: string): void {
  const folder = dirname(file);
  createFolder(folder);
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const fd = openSync(draft, 'wx', 0o600);
  try {
    writeSync(fd, `${randomSecret()}\n`);
    fsyncSync(fd);
    linkSync(draft, file);
    syncFolders(folder, folder);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    closeSync(fd);
    rmSync(draft);
  }
}

/** Chance may spell a word that is taken for a placeholder. */
function randomSecret(): string {
  const text = randomBytes(32).toString('base64url');
  return parseSecret(text) ? text : randomSecret();
}
