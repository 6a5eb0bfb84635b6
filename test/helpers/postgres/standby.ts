import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { give, type Installed } from './install.ts';
import type { Server } from './server.ts';

/** What a server makes for itself; and the log of writes, which the copy gets from the server that it follows. */
const own = ['pg_wal', 'pg_dynshmem', 'pg_replslot', 'pg_stat_tmp'];
const ofProcess = ['postmaster.pid', 'postmaster.opts'];

/**
 * A copy in the folder `data` of a server that runs, which will follow another when it starts: what `pg_basebackup` makes,
 * which is not among the programs that tests have.
 */
export async function copyForStandby(server: Server, data: string): Promise<Installed> {
  const { installed, url } = server;
  const left = new Set(ofProcess.map(file => join(installed.data, file)));
  const emptied = new Set(own.map(folder => join(installed.data, folder)));
  await withClient(url, async client => {
    await client.query("select pg_backup_start('standby', fast => true)");
    const filter = (path: string) => !left.has(path) && !emptied.has(dirname(path));
    cpSync(installed.data, data, { recursive: true, filter });
    mkdirSync(join(data, 'pg_wal', 'archive_status'));
    const { rows } = await client.query('select labelfile from pg_backup_stop(wait_for_archive => false)');
    writeFileSync(join(data, 'backup_label'), rows[0].labelfile);
  });
  writeFileSync(join(data, 'standby.signal'), '');
  chmodSync(data, 0o700);
  give(data, installed.as);
  return { ...installed, data };
}

/** Returns when it takes writes. */
export async function promote({ url }: Server): Promise<void> {
  await withClient(url, client => client.query('select pg_promote()'));
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
