/** `node test/database/sqlite/backup-load.test.ts 60` makes sixty backups, one a second. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { backUpSqlite } from '../../../src/database/sqlite/backup.ts';
import { restoreSqlite } from '../../../src/database/sqlite/restore.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { names } from '../support.ts';
import { soundness } from './backups.ts';
import { directly, open } from './support.ts';

const rounds = Number(process.argv[2] ?? 4);
const pause = process.argv[2] ? 1000 : 100;

test(`${rounds} backups under write load: each restores to a sound database with all that was acknowledged before`, async t => {
  const path = join(temporaryFolder(t), 'plinth.db');
  const writer = await startWriter(t, path);
  for (let round = 0; round < rounds; round++) {
    await delay(pause);
    await writer.more();
    const before = [...writer.acknowledged];
    const backup = join(temporaryFolder(t), 'backup.db');
    const contents = await backUpSqlite(path, backup);
    assert.equal(statSync(backup).mode & 0o777, 0o600);

    const restored = join(temporaryFolder(t), 'restored.db');
    await restoreSqlite(backup, restored, { accept: () => undefined });
    assert.deepEqual(soundness(restored), ['ok']);
    const { database } = await open(t, {}, restored);
    const found = new Set(await names(database));
    assert.deepEqual(
      before.filter(name => !found.has(name)),
      [],
    );
    assert.equal(found.size, contents.get('users'));
  }
});

test('control: of copies of the file alone, under the same load, some lack something', async t => {
  const path = join(temporaryFolder(t), 'plinth.db');
  const writer = await startWriter(t, path);
  let lacking = false;
  for (let round = 0; round < 100 && !lacking; round++) {
    await writer.more();
    const before = [...writer.acknowledged];
    const copy = join(temporaryFolder(t), 'copy.db');
    copyFileSync(path, copy);
    const found = namesIn(copy);
    lacking = before.some(name => !found.has(name));
  }
  assert.ok(lacking);
});

function namesIn(path: string): ReadonlySet<string> {
  try {
    const rows = directly(path, raw => raw.prepare('select email from users').all());
    return new Set(rows.map(({ email }) => String(email).replace('@example.com', '')));
  } catch {
    return new Set();
  }
}

interface Writer {
  readonly acknowledged: readonly string[];
  /** Resolves when it has written more than before. */
  more(): Promise<void>;
}

async function startWriter(t: TestContext, path: string): Promise<Writer> {
  const script = fileURLToPath(new URL('./writer-process.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path, 'honest', 'x'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const acknowledged: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    acknowledged.push(...lines);
  });
  const more = async (least = 1): Promise<void> => {
    const goal = acknowledged.length + least;
    while (acknowledged.length < goal) await once(child.stdout, 'data');
  };
  await more(50);
  return { acknowledged, more };
}
