/**
 * The races through PgBouncer in transaction mode, which has to be installed: `TEST_DATABASE=postgres node
 * test/soak/pgbouncer.ts --rounds 20`. Three nodes and three operators with ten connections each share four of its. See
 * docs/scaling.md.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { openDatabase } from '../../src/database.ts';
import { randomFrom } from '../database/support.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { emptyDatabase } from '../helpers/postgres/databases.ts';
import { freePort } from '../helpers/postgres/server.ts';
import { startProcesses } from '../races/processes.ts';
import { play, type Race, races } from '../races/rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    /** Before 1.21 it knows no prepared statements in this mode, and no such setting. */
    prepared: { type: 'string', default: '' },
  },
});
const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
const serverConnections = 4;

test(`${rounds} rounds of each race through PgBouncer, seed ${seed}`, async t => {
  const direct = await emptyDatabase();
  const url = await startPgBouncer(t, direct);
  // All at once on an empty database: one migrates, the others wait.
  const opened = await Promise.all(Array.from({ length: 5 }, () => openDatabase(url)));
  for (const database of opened) await database.close();
  const racers = await startProcesses(t, { url });
  const random = randomFrom(seed);
  for (const race of Object.keys(races) as Race[]) {
    const began = performance.now();
    let requests = 0;
    for (let round = 0; round < rounds; round++) {
      const { found, count } = await play(race, racers, `${race.replaceAll(/\W/g, '')}-${round}`, random);
      assert.deepEqual(found, [], `${race}, round ${round}`);
      requests += count;
    }
    t.diagnostic(
      `${race}: ${requests} requests in ${Math.round(performance.now() - began)} ms, no violation`,
    );
  }
  const admin = new pg.Client(direct);
  await admin.connect();
  const { rows } = await admin.query(
    `select count(*)::int as count from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()`,
  );
  await admin.end();
  assert.ok(rows[0].count > 0 && rows[0].count <= serverConnections, `${rows[0].count} connections`);
});

/** The settings of docs/scaling.md. The same database, through it. */
async function startPgBouncer(t: TestContext, direct: string): Promise<string> {
  const { hostname, port, username, password, pathname } = new URL(direct);
  const folder = temporaryFolder(t);
  const listenPort = await freePort();
  const file = (name: string, lines: readonly string[]): string => {
    writeFileSync(join(folder, name), `${lines.join('\n')}\n`, { mode: 0o644 });
    return join(folder, name);
  };
  const users = file('users', [`"${username}" "${decodeURIComponent(password)}"`]);
  const configuration = file('pgbouncer.ini', [
    '[databases]',
    `* = host=${hostname} port=${port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${listenPort}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${users}`,
    'pool_mode = transaction',
    `default_pool_size = ${serverConnections}`,
    'ignore_startup_parameters = statement_timeout, lock_timeout, idle_in_transaction_session_timeout',
    ...(values.prepared === '' ? [] : [`max_prepared_statements = ${values.prepared}`]),
  ]);
  // It does not run as root, and whoever it runs as has to get to its files.
  const as = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  chmodSync(folder, 0o755);
  const child = spawn('pgbouncer', [configuration], { ...as, stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => end(child));
  await once(child, 'spawn');
  child.stderr.setEncoding('utf8');
  let said = '';
  while (!said.includes('process up')) {
    const [text] = await Promise.race([once(child.stderr, 'data'), once(child, 'close').then(() => [])]);
    assert.ok(text !== undefined, said);
    said += text;
  }
  child.stderr.resume();
  const url = new URL(`postgres://127.0.0.1:${listenPort}${pathname}`);
  Object.assign(url, { username, password });
  return url.href;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
