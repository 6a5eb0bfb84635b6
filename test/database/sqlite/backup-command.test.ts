import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { backup } from '../../../src/commands/backup.ts';
import type { Command } from '../../../src/commands/command.ts';
import { restore } from '../../../src/commands/restore.ts';
import { openDatabase } from '../../../src/database.ts';
import { claimDatabase } from '../../../src/instance.ts';
import { createVault } from '../../../src/vault.ts';
import { testConfig, testSecret } from '../../helpers/app.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { me } from '../../helpers/nodes.ts';
import { plinth } from '../../helpers/plinth.ts';
import { ServiceProcess } from '../../helpers/process.ts';
import { insertUser } from '../support.ts';
import { fingerprint } from './support.ts';

const settings = { NODE_ENV: 'test', BCRYPT_COST: '4' };
const password = 'a very good passphrase';
const server = 'postgres://plinth:hunter2@localhost/plinth';

test('what a running service had at the backup is there again after the restore, sessions and keys included', async t => {
  const folder = temporaryFolder(t);
  const first = new ServiceProcess(t, folder, settings);
  const client = await first.client();
  const ada = await client.login(await client.register('ada@example.com', password));
  const made = await plinth(folder, ['backup', 'backup.db']);
  assert.match(
    made.stdout,
    /^backup\.db: .*\b1 users, 1 sessions, 1 signing_keys.*; \d+ bytes, checked\n.*secret.*data\/secret/,
  );
  assert.deepEqual([made.code, made.stderr], [0, '']);
  assert.equal(statSync(join(folder, 'backup.db')).mode & 0o777, 0o600);
  assert.ok(
    !readFileSync(join(folder, 'backup.db')).includes(
      readFileSync(join(folder, 'data/secret'), 'utf8').trim(),
    ),
  );

  const bea = await client.login(await client.register('bea@example.com', password));
  const [there, running] = [
    await plinth(folder, ['restore', 'backup.db']),
    await plinth(folder, ['restore', 'backup.db', '--force']),
  ];
  assert.deepEqual([there.code, running.code, there.stdout + running.stdout], [1, 1, '']);
  assert.match(there.stderr, /^there is a database already, .*plinth\.db; --force /);
  assert.match(running.stderr, /^the database .*plinth\.db is in use: stop the service first\n$/);
  assert.equal(await me(client, bea), 200);
  await first.stop();

  const done = await plinth(folder, ['restore', 'backup.db', '--force']);
  assert.deepEqual([done.code, done.stderr], [0, '']);
  const [, kept = ''] = /^What was there before is (\S+) now\.$/m.exec(done.stdout) ?? [];
  const second = new ServiceProcess(t, folder, settings);
  const again = await second.client();
  assert.deepEqual([await me(again, ada), await me(again, bea)], [200, 401]);
  await second.stop();
  assert.equal(statSync(join(folder, 'data/plinth.db')).mode & 0o777, 0o600);

  // What gave way is as good as a backup.
  renameSync(kept, join(folder, 'kept.db'));
  assert.equal((await plinth(folder, ['restore', 'kept.db', '--force'])).code, 0);
  const third = await new ServiceProcess(t, folder, settings).client();
  assert.deepEqual([await me(third, ada), await me(third, bea)], [200, 200]);
});

/** What is asked for, in a folder with `data/plinth.db` of ada and bea and `backup.db` of ada, and why it is refused. */
const refusals: readonly (readonly [
  what: string,
  words: readonly string[],
  says: RegExp,
  prepare?: ((folder: string) => void) | undefined,
  url?: string,
])[] = [
  ['a backup in the place of a file', ['backup', 'backup.db'], /^backup\.db is there already; --force /],
  ['a backup over the database', ['backup', '--force', 'data/plinth.db'], /cannot be its own backup/],
  [
    'a backup over the database, by another name',
    ['backup', '--force', 'link.db'],
    /cannot be its own backup/,
    folder => symlinkSync(join(folder, 'data/plinth.db'), join(folder, 'link.db')),
  ],
  ['a backup in a folder that is not there', ['backup', 'nowhere/b.db'], /ENOENT.*nowhere/],
  ['a backup of nothing', ['backup', 'b.db'], /other\.db is not there$/, undefined, 'sqlite:other.db'],
  ['a backup of memory', ['backup', 'b.db'], /in memory ends with its service/, undefined, 'sqlite::memory:'],
  ['a backup of PostgreSQL', ['backup', 'b.db'], /of PostgreSQL, pg_dump .*--file=b\.db/, undefined, server],
  ['a restore into PostgreSQL', ['restore', 'backup.db'], /of PostgreSQL, pg_restore/, undefined, server],
  ['a restore from nothing', ['restore', '--force', 'b.db'], /^the backup b\.db is not there$/],
  [
    'a restore in the place of a database',
    ['restore', 'backup.db'],
    /^there is a database already, .*--force/,
  ],
  [
    'a restore in the place of a log without its database',
    ['restore', 'backup.db'],
    /^there is a database already/,
    folder => {
      rmSync(join(folder, 'data/plinth.db'));
      writeFileSync(join(folder, 'data/plinth.db-wal'), 'what is left');
    },
  ],
  [
    'a restore of what has another secret',
    ['restore', '--force', 'backup.db'],
    /^the backup backup\.db was made with another secret: /,
    folder =>
      writeFileSync(
        join(folder, 'data/secret'),
        `${Buffer.from(testSecret).reverse().toString('base64url')}\n`,
      ),
  ],
  [
    'a restore without a secret',
    ['restore', '--force', 'backup.db'],
    /^the secret data\/secret is not there: bring it back or set SECRET$/,
    folder => rmSync(join(folder, 'data/secret')),
  ],
  [
    'a restore of what is no backup',
    ['restore', '--force', 'notes.db'],
    /^the backup notes\.db is not an SQLite database/,
    folder => writeFileSync(join(folder, 'notes.db'), 'notes\n'.repeat(1000)),
  ],
  [
    'a restore in the place of a folder',
    ['restore', '--force', 'backup.db'],
    /plinth\.db/,
    folder => {
      rmSync(join(folder, 'data/plinth.db'));
      mkdirSync(join(folder, 'data/plinth.db'));
    },
  ],
];

test('what would lose something or cannot be done is refused, and nothing is changed', async t => {
  for (const [what, words, says, prepare, url] of refusals) {
    await t.test(what, async t => {
      const folder = await withBackup(t);
      prepare?.(folder);
      const before = [fingerprint(folder), fingerprint(join(folder, 'data'))];
      await assert.rejects(run(folder, words, url), {
        name: /^(CommandRefused|DatabaseRefused|SecretRefused)$/,
        message: says,
      });
      assert.deepEqual([fingerprint(folder), fingerprint(join(folder, 'data'))], before);
    });
  }
});

test('control: the same commands do it where nothing is in the way', async t => {
  const folder = await withBackup(t);
  assert.match((await run(folder, ['backup', 'fresh.db']))[0] ?? '', /^fresh\.db: .* 2 users/);
  await run(folder, ['backup', 'fresh.db', '--force']);
  assert.match((await run(folder, ['restore', 'backup.db', '--force']))[0] ?? '', /plinth\.db: .* 1 users/);
  assert.match((await run(folder, ['restore', 'fresh.db', '--force']))[0] ?? '', /plinth\.db: .* 2 users/);
  rmSync(join(folder, 'data/plinth.db'));
  const lines = await run(folder, ['restore', 'fresh.db']);
  assert.equal(lines.length, 1, 'nothing had to give way');
});

test('a bar is drawn on a terminal and nowhere else', async t => {
  const folder = await withBackup(t);
  let drawn = '';
  const write = (text: string): void => {
    drawn += text;
  };
  await run(folder, ['backup', 'one.db'], undefined, { write });
  assert.equal(drawn, '');
  await run(folder, ['backup', 'two.db'], undefined, { write, isTTY: true });
  assert.match(drawn, /checking +\[#{40}\] 100 %/);
  assert.ok(drawn.endsWith('\r\x1b[K'));
});

/** A folder with a database, a backup from before, and the secret of both. */
async function withBackup(t: TestContext): Promise<string> {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data/secret'), `${testSecret.toString('base64url')}\n`);
  const database = await openDatabase(`sqlite:${join(folder, 'data/plinth.db')}`);
  await claimDatabase(database, createVault(testSecret));
  await insertUser(database, 'ada');
  await run(folder, ['backup', 'backup.db']);
  await insertUser(database, 'bea');
  await database.close();
  assert.deepEqual(readdirSync(folder).sort(), ['backup.db', 'data']);
  return folder;
}

/** Runs a command as if that folder were the working one; the lines that it answers. */
async function run(
  folder: string,
  [name, ...words]: readonly string[],
  url = 'sqlite:data/plinth.db',
  terminal: { isTTY?: boolean; write(text: string): void } = { write: assert.fail },
): Promise<string[]> {
  const lines: string[] = [];
  const command: Command = name === 'backup' ? backup : restore;
  const before = process.cwd();
  process.chdir(folder);
  try {
    await command.run(words, {
      config: () =>
        testConfig({
          DATABASE_URL: url,
          ...(url === server && { SECRET: testSecret.toString('base64url') }),
        }),
      clock: () => new Date(),
      write: line => void lines.push(line),
      terminal: { ...terminal },
    });
  } finally {
    process.chdir(before);
  }
  return lines;
}
