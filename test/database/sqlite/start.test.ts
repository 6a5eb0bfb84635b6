import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { temporaryFolder } from '../../helpers/folder.ts';
import { ServiceProcess } from '../../helpers/process.ts';

const password = 'a very good passphrase';

test('a first start asks nothing and says where everything is', async t => {
  const folder = temporaryFolder(t);
  const service = new ServiceProcess(t, folder);
  await (await service.client()).register('ada@example.com', password);
  assert.match(service.stderr, /^Plinth listens on http:\/\/127\.0\.0\.1:\d+$/m);
  assert.match(service.stderr, /http:\/\/127\.0\.0\.1:\d+\/docs$/m);
  assert.ok(service.stderr.includes(join(folder, 'data/plinth.db')));
  assert.equal(statSync(join(folder, 'data/secret')).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'data/plinth.db')).mode & 0o077, 0);
  const { code, stdout } = await service.stop();
  assert.equal(code, 0);
  for (const line of stdout.trim().split('\n')) JSON.parse(line);
  assert.deepEqual(readdirSync(join(folder, 'data')).sort(), ['plinth.db', 'secret']);
});

/** What is done to the folder of a stopped service, and what the next start says of it. */
const refusals: readonly (readonly [
  name: string,
  damage: (data: string) => void,
  settings: Record<string, string>,
  says: RegExp,
])[] = [
  ['the secret is gone', data => rmSync(join(data, 'secret')), {}, /its secret, .*, is not/],
  [
    'the secret is another',
    data => writeFileSync(join(data, 'secret'), `${otherSecret}\n`),
    {},
    /made with another secret/,
  ],
  ['SECRET is another', () => undefined, { SECRET: otherSecretText() }, /made with another secret/],
  ['the secret is too short', data => writeFileSync(join(data, 'secret'), 'short\n'), {}, /does not hold/],
  ['the secret is empty', data => writeFileSync(join(data, 'secret'), ''), {}, /does not hold/],
  [
    'the database is not one',
    data => writeFileSync(join(data, 'plinth.db'), 'hello'.repeat(1000)),
    {},
    /plinth\.db/,
  ],
  [
    'the database is of a newer program',
    data => change(data, "insert into migrations (name, applied_at) values ('9999_later', 0)"),
    {},
    /newer/,
  ],
  [
    'a signing key is damaged',
    data => change(data, "update signing_keys set private_encrypted = 'v1..'"),
    {},
    /the signing key \S+ in the database is damaged/,
  ],
  [
    'the database is of another program',
    data => change(data, 'pragma application_id = 1'),
    {},
    /not a Plinth database/,
  ],
  [
    'the database is of another program, and nobody has a secret',
    data => {
      change(data, 'pragma application_id = 1');
      rmSync(join(data, 'secret'));
    },
    {},
    /not a Plinth database/,
  ],
  [
    'neither database nor secret are there, but something else is',
    data => {
      writeFileSync(join(data, 'plinth.db'), 'hello'.repeat(1000));
      rmSync(join(data, 'secret'));
    },
    {},
    /not an SQLite database/,
  ],
];

test('a database or secret that is not as it was left is refused, and nothing is changed', async t => {
  const original = temporaryFolder(t);
  const service = new ServiceProcess(t, original);
  await (await service.client()).register('ada@example.com', password);
  await service.stop();
  for (const [name, damage, settings, says] of refusals) {
    await t.test(name, async t => {
      const folder = temporaryFolder(t);
      const data = join(folder, 'data');
      mkdirSync(data);
      for (const file of ['plinth.db', 'secret'])
        copyFileSync(join(original, 'data', file), join(data, file));
      damage(data);
      const before = contents(data);
      const { code, stderr } = await new ServiceProcess(t, folder, settings).ended();
      assert.equal(code, 78, stderr);
      assert.match(stderr, says);
      assert.equal(stderr.trim().split('\n').length, 1);
      assert.deepEqual(contents(data), before);
    });
  }
});

const otherSecret = otherSecretText();

function otherSecretText(): string {
  return 'k3JtR0xWbDdqUnA5c1ZtWk1xT2lYdzZ5SGZnTjFhYkU';
}

function change(data: string, sql: string): void {
  using database = new DatabaseSync(join(data, 'plinth.db'));
  database.exec(sql);
  database.exec('pragma wal_checkpoint(truncate)');
}

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map(file => [file, readFileSync(join(folder, file)).toString('base64')]),
  );
}
