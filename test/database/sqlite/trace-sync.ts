/**
 * Shows with `strace` what a real process asks the kernel for around one acknowledged write, in order:
 * `node test/database/sqlite/trace-sync.ts`. Fails unless a sync of the log that began after the commit's last write to it has
 * ended before the answer is written. `node test/database/sqlite/trace-sync.ts alone` shows it where SQLite syncs by itself,
 * as it does in a confined service. Not part of the suite: `strace` is not everywhere.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'plinth-trace-'));
const log = join(folder, 'trace');
const alone = process.argv[2] === 'alone';
const script = `
  import { writeSync } from 'node:fs';
  import { openDatabase } from '${new URL('../../../src/database.ts', import.meta.url)}';
  import { insertUser } from '${new URL('../support.ts', import.meta.url)}';
  const database = await openDatabase('sqlite:${join(folder, 'plinth.db')}', { syncsAlone: ${alone} });
  for (let n = 0; n < 20; n++) {
    writeSync(1, 'asked\\n');
    await insertUser(database, 'ada' + n);
    writeSync(1, 'answered\\n');
  }
  await database.close();`;
const calls = ['-f', '-y', '-e', 'trace=write,pwrite64,fdatasync,fsync', '-o', log];
const node = [process.execPath, '--input-type=module-typescript', '-e', script];
const { status, error } = spawnSync('strace', [...calls, ...node], { stdio: ['ignore', 'pipe', 'inherit'] });
if (error || status !== 0) throw error ?? new Error(`strace ended with ${status}`);
const lines = readFileSync(log, 'utf8').split('\n');
rmSync(folder, { recursive: true });

let checked = -1;
let written = false;
let syncing = new Map<string, boolean>();
let durable = false;
for (const line of lines) {
  const [thread = ''] = line.split(' ');
  if (line.includes('"asked')) {
    [written, durable, syncing] = [false, false, new Map()];
    if (checked < 0) process.stdout.write('one write; the number is the thread:\n');
    checked = Math.max(checked, 0);
  } else if (/pwrite64\(\d+<[^>]*-wal>/.test(line)) {
    [written, durable, syncing] = [true, false, new Map()];
  } else if (/f(data)?sync\(\d+<[^>]*-wal>/.test(line) && line.includes('<unfinished')) {
    syncing.set(thread, written);
  } else if (/f(data)?sync\(\d+<[^>]*-wal>.*= 0/.test(line)) {
    durable = written;
  } else if (/f(data)?sync resumed.*= 0/.test(line)) {
    durable ||= syncing.get(thread) === true;
  } else if (line.includes('"answered')) {
    if (!written || !durable) throw new Error(`answered before the sync: ${line}`);
    checked++;
  } else {
    continue;
  }
  if (checked === 0 || (checked === 1 && line.includes('"answered')))
    process.stdout.write(`  ${line.replace(folder, '')}\n`);
}
if (checked !== 20) throw new Error(`${checked} of 20 answers seen`);
process.stdout.write('20 of 20 answers were written after a sync that began after the commit\n');
