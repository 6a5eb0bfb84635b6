import { closeSync, fdatasync, lstatSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { DatabaseOptions } from '../engine.ts';
import { DatabaseRefused } from '../errors.ts';
import { type Migration, requireNothingPending } from '../migrations.ts';
import { Checkpointer } from './checkpointer.ts';
import { SqliteConnection } from './connection.ts';
import { createFile, syncFolders } from './create.ts';
import type { Parts } from './engine.ts';
import { acceptAny, inspect } from './inspect.ts';
import { migrate } from './migrate.ts';
import { Mutex } from './mutex.ts';
import { patience, untilFree, type World } from './patience.ts';
import { ReadDriver } from './read-driver.ts';
import { SnapshotConnection } from './snapshot.ts';
import { WalSync } from './wal-sync.ts';
import { WriteDriver } from './write-driver.ts';

export async function openFile(
  location: string,
  migrations: readonly Migration[],
  world: World,
  options: DatabaseOptions,
): Promise<Parts> {
  const path = resolve(location);
  const mayMigrate = options.migrate !== false;
  if (mayMigrate) createFile(path);
  // SQLite keeps the log beside what a link leads to: the one beside the link, if any, would be synced in vain.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    throw new DatabaseRefused('is a link: name the file that it leads to, or put the link on its folder');
  const pending = await inspect(path, migrations, options.accept ?? acceptAny, world);
  if (!mayMigrate) requireNothingPending(pending);

  using opened = new DisposableStack();
  const writer = opened.use(new DatabaseSync(path, { timeout: 0 }));
  // The last two matter on macOS alone, where a plain sync stops at the drive's cache.
  const settings = 'pragma journal_mode = wal; pragma fullfsync = on; pragma checkpoint_fullfsync = on';
  await untilFree(() => writer.exec(settings), world.monotonic() + patience, world);
  writer.exec('pragma synchronous = full');
  await migrate(writer, migrations, world);
  // From here commits are made durable by `WalSync`, and SQLite syncs where its log starts anew and is copied back.
  if (!options.syncsAlone) writer.exec('pragma synchronous = normal');
  writer.exec('pragma wal_autocheckpoint = 0');
  const reader = opened.use(new DatabaseSync(path, { readOnly: true, timeout: 0 }));
  // The log exists since the migration, and SQLite deletes it only when the last connection closes: ours stay open.
  const log = opened.adopt(openSync(`${path}-wal`, 'r+'), closeSync);
  if (!options.syncsAlone) syncFolders(dirname(path), dirname(path));

  const sync = options.syncsAlone ? async () => {} : (options.sync ?? promisify(fdatasync));
  const disk = new WalSync(() => sync(log), options.onFatal ?? (() => {}));
  const mutex = new Mutex();
  const checkpointer = new Checkpointer(path, writer, mutex, disk);
  const snapshot = new SnapshotConnection(reader);
  const resources = opened.move();
  return {
    reads: new ReadDriver(snapshot),
    writes: new WriteDriver(new SqliteConnection(writer), mutex, world, () => checkpointer.consider()),
    disk,
    close: async () => {
      await checkpointer.close();
      // Reads that were begun have come as far as the connection by then.
      await turn();
      snapshot.runWaiting();
      // The last connection to close copies the log back, unless it only reads. After a failed sync nothing may be
      // copied: the log as it can be read is no longer the log that the disk has.
      if (disk.failed) writer.close();
      else reader.close();
      resources.dispose();
    },
  };
}
