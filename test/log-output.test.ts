import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs, { existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { bufferedOutput } from '../src/log-output.ts';
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
  const url = (file: string) => new URL(`../src/${file}`, import.meta.url).href;
  const program = `
    import { createLog } from '${url('log.ts')}';
    import { bufferedOutput } from '${url('log-output.ts')}';
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

test('a full disk loses lines, says how many, and stops nothing', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const file = join(temporaryFolder(t), 'log');
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const write = t.mock.method(fs, 'write', (_fd: number, _block: Buffer, done: (error: Error) => void) =>
    setImmediate(done, full),
  );
  const writeSync = t.mock.method(fs, 'writeSync', () => {
    throw full;
  });
  const { stream, flush } = bufferedOutput(openSync(file, 'a'));
  const long = `${JSON.stringify({ level: 30, text: 'x'.repeat(1000) })}\n`;
  const first = numbered(10);
  for (const line of first) stream.write(line);
  await flush();
  for (let n = 0; n < 2000; n++) stream.write(long);
  // The flood has taken half of the room.
  const warning = `${JSON.stringify({ level: 40, text: 'y'.repeat(1000) })}\n`;
  for (let n = 0; n < 1000; n++) stream.write(warning);
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.equal(readFileSync(file, 'utf8'), '');

  write.mock.restore();
  writeSync.mock.restore();
  t.mock.timers.tick(100);
  await flush();
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    lines.slice(0, 10).map(({ i }) => i),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  const kept = lines.filter(line => line.level === 30).length;
  const { lost, level, event } = lines.find(({ lost }) => lost !== undefined);
  assert.equal(event, 'log_lines_lost');
  assert.equal(level, 40);
  const warnings = lines.filter(line => line.level === 40 && line.text).length;
  const half = 2 ** 19;
  assert.ok(Math.abs(kept * long.length - half) < 2000, `${kept} lines were kept`);
  assert.ok(Math.abs(warnings * warning.length - half) < 2000, `${warnings} warnings were kept`);
  assert.equal(kept + warnings + lost, 3000);
});

test('a process whose log has no space goes on, and ends', { skip: !existsSync('/dev/full') }, async () => {
  const url = new URL('../src/log-output.ts', import.meta.url).href;
  const program = `
    import { openSync } from 'node:fs';
    import { bufferedOutput } from '${url}';
    const { stream, flush } = bufferedOutput(openSync('/dev/full', 'w'));
    stream.write('{}');
    await flush();
    stream.write('{}');
    process.exitCode = 7;`;
  const args = ['--input-type=module', '-e', program];
  const { promise, resolve } = Promise.withResolvers<number | null>();
  const child = execFile(process.execPath, args, { timeout: 20_000 }, () => resolve(child.exitCode));
  assert.equal(await promise, 7);
});

test('where several processes write, each write is whole lines that a pipe takes as a whole', async t => {
  const blocks: string[] = [];
  t.mock.method(fs, 'write', (_fd: number, block: Buffer, done: (error: null, written: number) => void) => {
    blocks.push(block.toString());
    setImmediate(done, null, block.length);
  });
  // POSIX: what a process writes to a pipe at once is not mixed with what others do, up to PIPE_BUF bytes.
  const isWhole = (block: string): boolean => block.length <= 4096 && block.endsWith('\n');
  const lines = numbered(1000).map(line => line.replaceAll('ä', 'a'));
  for (const shared of [true, false]) {
    blocks.length = 0;
    const { stream, flush } = bufferedOutput(-1, shared);
    for (const line of lines) stream.write(line);
    await flush();
    assert.equal(blocks.join(''), lines.join(''));
    assert.equal(blocks.every(isWhole), shared);
  }
  blocks.length = 0;
  const long = [`"${'x'.repeat(5000)}"\n`, '{}\n'];
  const { stream, flush } = bufferedOutput(-1, true);
  for (const line of long) stream.write(line);
  await flush();
  assert.deepEqual(blocks, long, 'a line is never cut, however long');
});

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${JSON.stringify({ i, text: 'ä'.repeat(i % 50) })}\n`);
}
