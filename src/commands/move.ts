import { resolve } from 'node:path';
import type { Config } from '../config.ts';
import type { BulkOptions, BulkSource, BulkTarget } from '../database/bulk.ts';
import { moveRows } from '../database/move.ts';
import { parseAddress } from '../database/postgres/address.ts';
import { fillSqlite, readSqlite } from '../database/sqlite/bulk.ts';
import { DatabaseRefused, describeDatabase, sqlitePath } from '../database.ts';
import { checkSecret } from '../instance.ts';
import { existingSecret, fileOfSecret } from '../secret.ts';
import { createVault } from '../vault.ts';
import { CommandRefused, command, UsageFault } from './command.ts';
import { interruptible } from './interruption.ts';
import { Progress } from './progress.ts';

export const move = command({
  name: 'move',
  values: {
    from: ['URL', 'the database to move; that of DATABASE_URL where it is not given'],
    to: ['URL', 'the empty database that gets all of it; that of DATABASE_URL where it is not given'],
  },
  summary:
    'copy everything to another database, between SQLite and PostgreSQL, while no service\n' +
    'runs; people stay logged in',
  async run({ from, to }, { config, terminal, write }) {
    if (from === undefined && to === undefined) throw new UsageFault('--to is missing');
    const settings = config();
    const [source, target] = [from ?? settings.databaseUrl, to ?? settings.databaseUrl].map(checked);
    if (source === undefined || target === undefined || source === target)
      throw new UsageFault('--from and --to have to be two databases');
    const vault = createVault(secretOf(settings, source), settings.previousSecret);
    const accept = (facts: ReadonlyMap<string, string>) => checkSecret(facts, vault);
    const began = performance.now();
    using progress = new Progress(terminal);
    try {
      await using opened = new AsyncDisposableStack();
      const reading = opened.use(await openSource(source, { accept }));
      const writing = opened.use(await openTarget(target, { accept }));
      const onProgress = progress.show.bind(progress);
      const tables = await interruptible(signal => moveRows(reading, writing, { signal, onProgress }));
      progress[Symbol.dispose]();
      for (const { name, rows, checksum } of tables)
        write(`${name.padEnd(16)} ${String(rows).padStart(10)} rows  ${checksum}`);
    } catch (error) {
      const isFile = error instanceof Error && 'syscall' in error;
      if (!(error instanceof DatabaseRefused || isFile)) throw error;
      throw new CommandRefused(error.message, { cause: error });
    }
    write(`Moved to ${describeDatabase(target)} in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
    const place = settings.secret ? '' : `, and SECRET to what ${fileOfSecret(source)} holds`;
    write(`Set DATABASE_URL to it${place}, and let nothing write to ${describeDatabase(source)} any more.`);
  },
});

/** Throws `UsageFault` for what is not the URL of a database that is kept. */
function checked(url: string): string {
  const path = sqlitePath(url);
  if (path === ':memory:' || (path === undefined && !parseAddress(url)))
    throw new UsageFault('a database is sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  return path === undefined ? url : `sqlite:${resolve(path)}`;
}

function secretOf({ secret }: Config, source: string): Uint8Array {
  if (secret) return secret;
  if (sqlitePath(source) !== undefined) return existingSecret(source);
  throw new CommandRefused('SECRET has to be set to that of the database to move');
}

export async function openSource(url: string, options: BulkOptions): Promise<BulkSource> {
  const address = parseAddress(url);
  if (!address) return await readSqlite(sqlitePath(url) ?? '', options);
  const { readPostgres } = await import('../database/postgres/bulk.ts');
  return await readPostgres(address, options);
}

export async function openTarget(url: string, options: BulkOptions): Promise<BulkTarget> {
  const address = parseAddress(url);
  if (!address) return await fillSqlite(sqlitePath(url) ?? '', options);
  const { fillPostgres } = await import('../database/postgres/bulk.ts');
  return await fillPostgres(address, options);
}
