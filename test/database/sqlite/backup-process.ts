/**
 * A process to be killed: `backup-process.ts backup|restore FILE PATH STEP` ends by SIGKILL before its STEP-th change to
 * the file system, or step of SQLite that makes one; with 0 it runs to its end.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { backUpSqlite } from '../../../src/database/sqlite/backup.ts';
import { restoreSqlite } from '../../../src/database/sqlite/restore.ts';

/** Calls around which the state of the files differs. */
export const changes = ['closeSync', 'fsyncSync', 'linkSync', 'openSync', 'renameSync', 'rmSync'] as const;

if (import.meta.main) {
  const [what, file = '', path = '', step] = process.argv.slice(2);
  let steps = 0;
  const orDie = (): void => {
    if (++steps === Number(step)) process.kill(process.pid, 'SIGKILL');
  };
  for (const name of changes) {
    const original = fs[name] as (...args: unknown[]) => unknown;
    Object.assign(fs, {
      [name]: (...args: unknown[]) => {
        orDie();
        return original(...args);
      },
    });
  }
  syncBuiltinESMExports();
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (sql) {
    orDie();
    exec.call(this, sql);
  };
  if (what === 'backup') await backUpSqlite(path, file, { overwrite: true });
  else await restoreSqlite(file, path, { accept: () => undefined, keepAs: `${path}.kept` });
}
