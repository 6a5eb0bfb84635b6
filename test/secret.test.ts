import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { secretBeside } from '../src/secret.ts';
import { temporaryFolder } from './helpers/folder.ts';

test('a secret is on disk with all names that lead to it', t => {
  const folder = temporaryFolder(t);
  const opened = new Map<number, string>();
  const synced: string[] = [];
  const { openSync, fsyncSync } = fs;
  t.mock.method(fs, 'openSync', (...options: Parameters<typeof openSync>) => {
    const fd = openSync(...options);
    opened.set(fd, String(options[0]));
    return fd;
  });
  t.mock.method(fs, 'fsyncSync', (fd: number) => {
    synced.push(opened.get(fd) ?? '');
    fsyncSync(fd);
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const made = secretBeside(`sqlite:${join(folder, 'a/b/plinth.db')}`);
  const [draft = '', ...others] = synced.filter(path => path.startsWith(join(folder, 'a/b/')));
  assert.match(draft, /secret\.\d+\.[\da-f]+$/);
  assert.deepEqual(others, []);
  assert.deepEqual(
    synced.filter(path => path !== draft),
    [folder, join(folder, 'a'), join(folder, 'a/b')],
  );
  assert.deepEqual(secretBeside(`sqlite:${join(folder, 'a/b/plinth.db')}`), made);
});

test('where no folder can be made, that is said', { skip: process.platform !== 'linux' }, async () => {
  const { href } = new URL('../src/secret.ts', import.meta.url);
  const program = `import(${JSON.stringify(href)}).then(m => m.secretBeside('sqlite:/proc/none/of/it.db'))`;
  // In a process of its own, because a folder that is tried for ever lets nothing else happen.
  const made = promisify(execFile)(process.execPath, ['-e', program], { timeout: 10_000 });
  await assert.rejects(made, {
    code: 1,
    stderr: /SecretRefused: the secret \/proc\/none\/of\/secret .*ENOENT/,
  });
});
