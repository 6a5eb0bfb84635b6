/**
 * Durable commits a second: 64 callers who each wait for their own commit, against SQLite's own way of syncing each
 * commit (`synchronous = FULL`) in the same process, rounds alternated. The event loop's longest stall comes along,
 * because a server answers nobody meanwhile. `node bench/commits.ts [seconds a round]`
 */
import { randomUUIDv7 } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { openDatabase } from '../src/database.ts';

const seconds = Number(process.argv[2] ?? 2);
const rounds = 3;
const folder = mkdtempSync(join(tmpdir(), 'plinth-commits-'));
const database = await openDatabase(`sqlite:${join(folder, 'shared.db')}`);
const alone = await openDatabase(`sqlite:${join(folder, 'each.db')}`);
await alone.close();
const each = new DatabaseSync(join(folder, 'each.db'));
each.exec('pragma synchronous = full');
const insert = each.prepare('insert into users values (?, ?, ?, null, ?, ?, ?)');

const variants = {
  'shared sync, 64 callers': (until: number) => together(64, until),
  'shared sync, 1 caller': (until: number) => together(1, until),
  'FULL, one by one': oneByOne,
};
const table = new Map(
  Object.keys(variants).map(name => [name, { commits: [] as number[], stalls: [] as number[] }]),
);
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(variants)) {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const commits = await run(performance.now() + seconds * 1000);
    delay.disable();
    table.get(name)?.commits.push(Math.round(commits / seconds));
    table.get(name)?.stalls.push(Math.round(delay.max / 1e5) / 10);
  }
}
for (const [name, { commits, stalls }] of table) {
  process.stdout.write(
    `${name.padEnd(24)} ${commits.join(' ')} commits/s   longest stall ${stalls.join(' ')} ms\n`,
  );
}
await database.close();
each.close();
rmSync(folder, { recursive: true });

async function together(callers: number, until: number): Promise<number> {
  let commits = 0;
  const caller = async () => {
    while (performance.now() < until) {
      await database.transaction(tx => tx.insertInto('users').values(user()).execute());
      commits++;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return commits;
}

async function oneByOne(until: number): Promise<number> {
  let commits = 0;
  while (performance.now() < until) {
    const { id, email, email_canonical, password_hash, created_at } = user();
    insert.run(id, email, email_canonical, password_hash, created_at.getTime(), created_at.getTime());
    commits++;
    await turn();
  }
  return commits;
}

function user() {
  const id = randomUUIDv7();
  const at = new Date();
  const email = `${id}@example.com`;
  return {
    id,
    email,
    email_canonical: email,
    name: null,
    password_hash: 'x'.repeat(60),
    created_at: at,
    updated_at: at,
  };
}
