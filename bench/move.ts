/**
 * How long `npm run plinth -- move` takes: people with a session and a known source each, from SQLite to PostgreSQL and back, each in a
 * process of its own, and how much memory that had at most. PostgreSQL is one that was just installed, with its own
 * settings and durable. `node bench/move.ts [people]`
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomUUIDv7 } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { openDatabase } from '../src/database.ts';
import { claimDatabase } from '../src/instance.ts';
import { createVault } from '../src/vault.ts';
import { startPostgres } from '../test/helpers/postgres/start.ts';
import { printTable, storeJson } from './support/report.ts';

const people = Number(process.argv[2] ?? 100_000);
const secret = randomBytes(32);
const folder = mkdtempSync(join(tmpdir(), 'plinth-move-'));
const server = await startPostgres(['fsync=on', 'full_page_writes=on', 'autovacuum=on']);

const [first, second] = [join(folder, 'first.db'), join(folder, 'second.db')];
await fill(first);
const up = await move(`sqlite:${first}`, server.url);
const bytes = await bytesOfRows(['users', 'sessions', 'limits']);
const down = await move(server.url, `sqlite:${second}`);
const measured = [
  { direction: 'SQLite to PostgreSQL', ...up },
  { direction: 'PostgreSQL to SQLite', ...down },
];
await server.end();
const megabytes = Math.round(statSync(first).size / 1e6);
rmSync(folder, { recursive: true });

printTable(
  [`${people} people, ${megabytes} MB`, 'seconds', 'people a second', 'MB of memory'],
  measured.map(({ direction, seconds, memory_mb }) => [
    direction,
    seconds.toFixed(1),
    String(Math.round(people / seconds)),
    String(memory_mb),
  ]),
);
printTable(
  ['a row with its indexes, on PostgreSQL', 'bytes'],
  Object.entries(bytes).map(([table, size]) => [table, String(size)]),
);
storeJson('move', { people, sqlite_mb: megabytes, measured, postgres_bytes_of_a_row: bytes });

async function fill(path: string): Promise<void> {
  const database = await openDatabase(`sqlite:${path}`);
  await claimDatabase(database, createVault(secret));
  const now = new Date();
  for (let from = 0; from < people; from += 500) {
    const numbers = Array.from({ length: Math.min(500, people - from) }, (_, n) => from + n);
    const users = numbers.map(n => ({
      id: randomUUIDv7(),
      email: `person${n}@example.com`,
      email_canonical: `person${n}@example.com`,
      name: `Person ${n}`,
      password_hash: `$2b$12$${digest(`password ${n}`)}0123456789`,
      created_at: now,
      updated_at: now,
    }));
    const sessions = users.map(({ id }, n) => ({
      id: randomUUIDv7(),
      user_id: id,
      created_at: now,
      last_used_at: now,
      expires_at: now,
      refresh_expires_at: now,
      refresh_family_hash: digest(`family ${from + n}`),
      refresh_hash: digest(`token ${from + n}`),
      previous_refresh_hash: digest(`previous ${from + n}`),
      refresh_nonce: digest(`nonce ${from + n}`),
      refreshed_at: now,
      user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      ip: '2001:db8::1',
    }));
    const sources = users.map((_, n) => ({
      key: digest(`source ${from + n}`).slice(0, 32),
      account: digest(`account ${from + n}`).slice(0, 32),
      times: '',
      strikes: 0,
      expires_at: now,
    }));
    await database.transaction(async tx => {
      await tx.insertInto('limits').values(sources).execute();
      await tx.insertInto('users').values(users).execute();
      await tx.insertInto('sessions').values(sessions).execute();
    });
  }
  await database.close();
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

async function move(from: string, to: string): Promise<{ seconds: number; memory_mb: number }> {
  const start = fileURLToPath(new URL('../bin/start.js', import.meta.url));
  const began = performance.now();
  const child = spawn(process.execPath, [start, 'command', 'move', '--from', from, '--to', to], {
    cwd: folder,
    env: { SECRET: secret.toString('base64url') },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let memory = 0;
  const looking = setInterval(() => {
    memory = Math.max(memory, peakMemory(child.pid ?? 0));
  }, 100);
  const [code] = await once(child, 'exit');
  clearInterval(looking);
  if (code !== 0) throw new Error(`the move ended with ${code}`);
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  return { seconds, memory_mb: Math.round(memory) };
}

/** What a row takes on PostgreSQL's disk, with its share of the indexes. */
async function bytesOfRows(tables: readonly string[]): Promise<Record<string, number>> {
  const client = new pg.Client(server.url);
  await client.connect();
  const sizes: Record<string, number> = {};
  for (const table of tables) {
    const { rows } = await client.query(`select pg_total_relation_size('${table}') as bytes`);
    sizes[table] = Math.round(Number(rows[0].bytes) / people);
  }
  await client.end();
  return sizes;
}

/** Megabytes, of a process on Linux that may have ended. */
function peakMemory(pid: number): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes ?? 0) / 1000;
  } catch {
    return 0;
  }
}
