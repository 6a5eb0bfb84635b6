/** `node test/database/sqlite/kill.test.ts 100` does a hundred rounds. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../helpers/folder.ts';
import { names } from '../support.ts';
import { directly, open } from './support.ts';

const rounds = Number(process.argv[2] ?? 5);

test(`kill -9 under load, ${rounds} rounds: nothing acknowledged is lost, and the file is sound`, async t => {
  const path = join(temporaryFolder(t), 'plinth.db');
  const acknowledged: string[] = [];
  for (let round = 0; round < rounds; round++) {
    acknowledged.push(...(await killed(path, 'honest', `${round}`, 200 + ((round * 397) % 1500))));
    const { database } = await open(t, {}, path);
    const found = new Set(await names(database));
    await database.close();
    assert.deepEqual(
      acknowledged.filter(name => !found.has(name)),
      [],
    );
    const [sound] = directly(path, raw => raw.prepare('pragma integrity_check').all());
    assert.deepEqual({ ...sound }, { integrity_check: 'ok' });
  }
  assert.ok(acknowledged.length >= 200 * rounds);
});

test('control: acknowledging before the commit loses some', async t => {
  const path = join(temporaryFolder(t), 'plinth.db');
  const acknowledged = await killed(path, 'early', 'x', 100);
  const { database } = await open(t, {}, path);
  const found = new Set(await names(database));
  assert.ok(acknowledged.some(name => !found.has(name)));
});

/** What a process had acknowledged when it was killed, which is after so many. */
async function killed(
  path: string,
  mode: 'honest' | 'early',
  prefix: string,
  after: number,
): Promise<string[]> {
  const script = fileURLToPath(new URL('./writer-process.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path, mode, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const told: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    told.push(line);
    if (told.length === after) child.kill('SIGKILL');
  }
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  return told;
}
