import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../helpers/folder.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The code blocks of docs/clients.md, by the file name in their first line. */
export function documentedFiles(): ReadonlyMap<string, string> {
  const text = readFileSync(join(root, 'docs/clients.md'), 'utf8');
  const blocks = text.matchAll(/^```\w+\n(?:\/\/|#) ([\w.]+)\n(.*?)^```$/gms);
  return new Map([...blocks].map(([, name = '', code = '']) => [name, code]));
}

/** A folder in which a program finds what `npm ci` brought; gone with the test. */
export function programFolder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(t);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const tsconfig = JSON.stringify({ extends: join(root, 'tsconfig.json'), include: ['*.ts'] });
  for (const [name, text] of Object.entries({
    ...files,
    'tsconfig.json': tsconfig,
    'package.json': '{"type":"module"}',
  })) {
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Types made as the documentation says, from the description that a service serves. */
export async function makeTypes(folder: string, url: string): Promise<void> {
  const generator = join(root, 'test/clients/openapi-types/node_modules/openapi-typescript/bin/cli.js');
  await run(folder, generator, `${url}/openapi.json`, '--output', 'plinth-api.d.ts');
}

/** What TypeScript has against the programs in a folder; empty when nothing. */
export async function typeFaults(folder: string): Promise<string[]> {
  const { stdout } = await node(folder, join(root, 'node_modules/typescript/bin/tsc'), '--pretty', 'false');
  return stdout.split('\n').filter(line => line !== '');
}

/** Runs a program to its end, which has to be a good one; what it printed. */
export async function run(folder: string, program: string, ...args: readonly string[]): Promise<string> {
  const { error, stdout, stderr } = await node(folder, program, ...args);
  assert.equal(error, null, stderr);
  return stdout;
}

interface Ended {
  readonly error: Error | null;
  readonly stdout: string;
  readonly stderr: string;
}

function node(cwd: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise(resolve => {
    execFile(process.execPath, args, { cwd, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ error, stdout, stderr }),
    );
  });
}
