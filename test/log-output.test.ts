import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs, { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { bufferedOutput } from '../src/log.ts';
import { temporaryFolder } from './helpers/folder.ts';

test('lines come out whole and in order, in blocks that go out by themselves', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const file = join(temporaryFolder(t), 'log');
  const { stream, flush } = bufferedOutput(openSync(file, 'a'));
  const lines = numbered(5000);
  for (const line of lines) stream.write(line);
  while (readFileSync(file).length < 10 * 16_384) await turn();
  await flush();
  assert.equal(readFileSync(file, 'utf8'), lines.join(''));
});

test('at the end nothing overtakes a block that is still being written', async t => {
  const write = fs.write as (...args: unknown[]) => void;
  t.mock.method(fs, 'write', (...args: unknown[]) => setImmediate(() => write(...args)));
  const file = join(temporaryFolder(t), 'log');
  const { stream, flush } = bufferedOutput(openSync(file, 'a'));
  const lines = numbered(500);
  for (const line of lines) stream.write(line);
  await flush();
  assert.equal(readFileSync(file, 'utf8'), lines.join(''));
});

test('a single line waits for others, but not for long', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const file = join(temporaryFolder(t), 'log');
  const { stream } = bufferedOutput(openSync(file, 'a'));
  stream.write('{}\n');
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.equal(readFileSync(file, 'utf8'), '');
  t.mock.timers.tick(100);
  while (readFileSync(file).length === 0) await turn();
  assert.equal(readFileSync(file, 'utf8'), '{}\n');
});

test('the last lines before a crash are not lost', async () => {
  const url = new URL('../src/log.ts', import.meta.url).href;
  const program = `
    import { bufferedOutput, createLog } from '${url}';
    const log = createLog('info', bufferedOutput(1));
    log.info('before');
    log.error('why');
    throw new Error('crash');`;
  const args = ['--input-type=module', '-e', program];
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile(process.execPath, args, (_error, stdout) => resolve(stdout));
  const lines = (await promise).trim().split('\n');
  assert.deepEqual(
    lines.map(line => JSON.parse(line).msg),
    ['before', 'why'],
  );
});

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${JSON.stringify({ i, text: 'ä'.repeat(i % 50) })}\n`);
}
