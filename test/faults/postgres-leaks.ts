import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { Node } from './service.ts';

/** Seconds in which the server has to notice that a client is gone. */
const noticedWithin = 5;

/** Kills all nodes at once; which connections and locks of theirs the database server still has after five seconds. */
export async function leftBehind(nodes: readonly Node[], url: string): Promise<string[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (const node of nodes) await node.kill();
    let left: string[] = [];
    for (
      const until = performance.now() + noticedWithin * 1000;
      performance.now() < until;
      await pause(100)
    ) {
      const { rows } = await client.query<{ left: string }>(remains);
      left = rows.map(row => row.left);
      if (left.length === 0) break;
    }
    return left.map(what => `left behind on the database server: ${what}`);
  } finally {
    await client.end();
  }
}

const remains = `
  select 'a connection, ' || coalesce(state, '') as left from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid() and datname = current_database()
  union all
  select 'a lock, ' || mode from pg_locks
    where pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())`;
