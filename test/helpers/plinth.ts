import { execFile } from 'node:child_process';

const root = new URL('../../', import.meta.url).pathname;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The operator's tool, as `npm run plinth -- …` runs it, in a folder of the caller. */
export async function plinth(
  folder: string,
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>();
  const env = { PATH: process.env['PATH'] ?? '', ...settings };
  const child = execFile(
    process.execPath,
    [`${root}bin/start.js`, 'command', ...args],
    { cwd: folder, env },
    (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
  );
  return await promise;
}
