import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import type { Migration } from '../migrations.ts';
import { SqliteConnection } from './connection.ts';
import type { Parts } from './engine.ts';
import { migrate } from './migrate.ts';
import { Mutex } from './mutex.ts';
import type { World } from './patience.ts';
import { MemoryReadDriver } from './read-driver.ts';
import { WriteDriver } from './write-driver.ts';

/** A database that ends with its connections: for trials and tests. Nothing is durable, so nothing waits for a disk. */
export async function openMemory(migrations: readonly Migration[], world: World): Promise<Parts> {
  // A name in SQLite's memory file system, so that both connections see the same database and nobody else does.
  const name = `file:/${randomUUID()}?vfs=memdb`;
  const writer = new DatabaseSync(name, { timeout: 0 });
  await migrate(writer, migrations, world);
  const reader = new DatabaseSync(name, { readOnly: true, timeout: 0 });
  const mutex = new Mutex();
  return {
    reads: new MemoryReadDriver(new SqliteConnection(reader), mutex),
    writes: new WriteDriver(new SqliteConnection(writer), mutex, world),
    disk: { check() {}, async settled() {}, fail() {} },
    close: async () => {
      // Reads that were begun have asked for their turn by then.
      await turn();
      const unlock = await mutex.lock();
      reader.close();
      writer.close();
      unlock();
    },
  };
}
