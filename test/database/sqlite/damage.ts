import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { user } from '../support.ts';
import { directly, open } from './support.ts';

/** What can have become of the file of `closedDatabase`, and what is said of it. */
export const damages: { name: string; make: (path: string) => void; reason: RegExp }[] = [
  {
    name: 'not SQLite',
    make: path => writeFileSync(path, 'these are my notes\n'.repeat(1000)),
    reason: /is not an SQLite database, or its header is damaged$/,
  },
  { name: 'a short file', make: path => writeFileSync(path, 'x'), reason: /is not an SQLite database/ },
  {
    name: "another application's database",
    make: path => changed(path, 'pragma application_id = 12345'),
    reason: /is not a Plinth database$/,
  },
  {
    name: 'a database of nobody in particular',
    make: path => changed(path, 'pragma application_id = 0'),
    reason: /is not a Plinth database$/,
  },
  { name: 'a damaged header', make: path => flip(path, 0, 16), reason: /its header is damaged$/ },
  { name: 'a page overwritten', make: path => flip(path, 4096, 512), reason: /is damaged: / },
  { name: 'a page of people overwritten', make: path => flip(path, 4096 * 20, 512), reason: /is damaged: / },
  { name: 'the end cut off', make: path => truncateSync(path, 4096 * 3), reason: /is damaged: / },
  {
    name: 'the end cut off within a page',
    make: path => truncateSync(path, 4096 * 3 + 100),
    reason: /is damaged: /,
  },
  {
    name: 'cut down to a header',
    make: path => truncateSync(path, 100),
    reason: /is not an SQLite database, or was cut short$/,
  },
  {
    name: 'emptied beside its log',
    make: path => {
      truncateSync(path, 0);
      writeFileSync(`${path}-wal`, 'log');
    },
    reason: /is damaged: it is empty but its log is not$/,
  },
  {
    name: 'no history',
    make: path => changed(path, 'drop table migrations'),
    reason: /is damaged: it has no history of migrations$/,
  },
  {
    name: 'newer',
    make: path => changed(path, "insert into migrations values ('9999_roles', 1)"),
    reason: /is newer than this program: it has migration 9999_roles, the program ends at \d{4}_\w+$/,
  },
  {
    name: 'a migration of the same number but another name',
    make: path => changed(path, "update migrations set name = '0001_people' where name = '0001_accounts'"),
    reason: /has another history: this program has no migration 0001_people$/,
  },
  {
    name: 'a foreign migration before a newer one',
    make: path => changed(path, "insert into migrations values ('0000_start', 1), ('9999_roles', 1)"),
    reason: /has another history: this program has no migration 0000_start$/,
  },
  {
    name: 'a folder',
    make: path => {
      rmSync(path);
      mkdirSync(path);
    },
    reason: /cannot be opened: /,
  },
];

const sessionColumns =
  'id, user_id, created_at, last_used_at, expires_at, refresh_expires_at, refresh_family_hash, refresh_hash';
const sessionValues = "'s', 'nobody', 0, 0, 0, 0, 'f', 'h'";

/** What only a look at everything finds. */
export const deepDamages: typeof damages = [
  {
    name: 'a session of nobody',
    make: (path: string) =>
      directly(path, raw =>
        raw.exec(
          `pragma foreign_keys = off; insert into sessions (${sessionColumns}) values (${sessionValues})`,
        ),
      ),
    reason: /is damaged: rows of sessions refer to none$/,
  },
  {
    name: 'an index that says something else than its table',
    make: (path: string) => {
      const entry = "type = 'index' and name = 'sessions_user_id'";
      const [row] = directly(path, raw => {
        const person = '(select min(id) from users)';
        const values = sessionValues.replace("'nobody'", person);
        raw.exec(`insert into sessions (${sessionColumns}) values (${values})`);
        const rows = raw.prepare(`select * from sqlite_schema where ${entry}`).all();
        raw.enableDefensive(false);
        raw.exec(`pragma writable_schema = on; delete from sqlite_schema where ${entry}`);
        return rows;
      });
      directly(path, raw => {
        raw.exec('update sessions set user_id = (select max(id) from users)');
        raw.enableDefensive(false);
        raw.exec('pragma writable_schema = on');
        raw.prepare('insert into sqlite_schema values (?, ?, ?, ?, ?)').run(...Object.values(row ?? {}));
      });
    },
    reason: /is damaged: .* index sessions_user_id$/,
  },
];

function changed(path: string, sql: string): void {
  directly(path, raw => raw.exec(sql));
}

/** Four hundred people in a file that nobody has open. */
export async function closedDatabase(t: TestContext): Promise<string> {
  const { database, path } = await open(t);
  const people = Array.from({ length: 400 }, (_, n) => user(`ada${n}`));
  await database.transaction(tx => tx.insertInto('users').values(people).execute());
  await database.close();
  return path;
}

/** Inverts bytes. */
function flip(path: string, offset: number, length: number): void {
  const bytes = readFileSync(path);
  for (let i = offset; i < offset + length; i++) bytes.writeUInt8(bytes.readUInt8(i) ^ 0xff, i);
  writeFileSync(path, bytes);
}
