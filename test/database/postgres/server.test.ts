/** The PostgreSQL server that the other tests use. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { emptyDatabase } from '../../helpers/postgres/databases.ts';
import { startPostgres } from '../../helpers/postgres/start.ts';

test('a database of one’s own is empty, on a server whose habits are not those of most', async () => {
  const [one, other] = [await emptyDatabase(), await emptyDatabase()];
  await query(one, 'create table here (a int)');
  assert.deepEqual(await query(other, "select from pg_tables where schemaname = 'public'"), []);
  assert.deepEqual(await query(one, "select current_setting('timezone') as zone"), [
    { zone: 'Asia/Kathmandu' },
  ]);
});

test('a server of one’s own stops, crashes and starts at the same address', async t => {
  const server = await startPostgres(['max_connections=20']);
  t.after(() => server.end());
  await query(server.url, 'create table here (a int)');
  for (const down of ['stop', 'crash'] as const) {
    await server[down]();
    await assert.rejects(query(server.url, 'select 1'), { code: 'ECONNREFUSED' });
    await server.start();
    assert.deepEqual(await query(server.url, 'select count(*)::int as n from here'), [{ n: 0 }]);
  }
});

test('nothing is left when the process that started it is killed', async () => {
  const script = `
    import { startPostgres } from '${new URL('../../helpers/postgres/start.ts', import.meta.url)}';
    console.log((await startPostgres()).url);
    setInterval(() => undefined, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  owner.stdout.setEncoding('utf8');
  const [url] = await once(owner.stdout, 'data');
  const [{ folder } = { folder: '' }] = await query(
    url,
    "select current_setting('data_directory') as folder",
  );
  const [pid] = readFileSync(join(String(folder), 'postmaster.pid'), 'utf8').split('\n');
  assert.ok(isRunning(Number(pid)));
  owner.kill('SIGKILL');
  await once(owner, 'close');
  while (isRunning(Number(pid)) || existsSync(dirname(String(folder)))) await delay(20);
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
