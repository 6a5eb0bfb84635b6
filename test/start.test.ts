import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from './helpers/app.ts';
import { ServiceProcess } from './helpers/process.ts';

const password = 'a very good passphrase';

test('a first start asks nothing and says where everything is; a second one finds everything again', async t => {
  const folder = temporaryFolder(t);
  const first = new ServiceProcess(t, folder);
  const client = await first.client();
  const { email } = await client.register('ada@example.com', password);
  const token = await client.login({ email, password });
  assert.match(first.stderr, /^Plinth listens on http:\/\/127\.0\.0\.1:\d+$/m);
  assert.match(first.stderr, /http:\/\/127\.0\.0\.1:\d+\/docs$/m);
  assert.ok(first.stderr.includes(join(folder, 'data/plinth.db')));
  assert.equal(statSync(join(folder, 'data/secret')).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'data/plinth.db')).mode & 0o077, 0);
  const { code, stdout } = await first.stop();
  assert.equal(code, 0);
  for (const line of stdout.trim().split('\n')) JSON.parse(line);

  const second = new ServiceProcess(t, folder);
  const again = await second.client();
  assert.equal((await again.get('/me', { token })).body.email, email);
  await again.login({ email, password });
  assert.equal((await second.stop('SIGINT')).code, 0);
  assert.deepEqual(readdirSync(join(folder, 'data')).sort(), ['plinth.db', 'secret']);
});

test('requests in flight finish after the signal to stop', async t => {
  const service = new ServiceProcess(t, temporaryFolder(t), { BCRYPT_COST: '13' });
  const client = await service.client();
  let answered = 0;
  const registrations = Array.from({ length: 4 }, (_, i) =>
    client.post('/users', { email: `p${i}@example.com`, password }).finally(() => {
      answered++;
    }),
  );
  // Their connections are accepted in order, so when these have been answered the first four are at work.
  for (let i = 0; i < 3; i++) await client.get('/health/live');
  assert.ok(answered < 4, 'the hashes were too cheap for this test');
  service.child.kill('SIGTERM');
  for (const { status } of await Promise.all(registrations)) assert.equal(status, 201);
  assert.equal((await service.ended()).code, 0);
});

test('faulty settings end with 78 and a line for each', async t => {
  const { code, stderr, stdout } = await new ServiceProcess(t, temporaryFolder(t), {
    PORT: 'x',
    BCRYPT_COST: '3',
    PLINTH_SECRET: 'x',
    SECRET: 'hunter2hunter2',
  }).ended();
  assert.equal(code, 78);
  assert.deepEqual(
    stderr
      .trim()
      .split('\n')
      .map(line => line.split(':')[0])
      .sort(),
    ['BCRYPT_COST', 'PLINTH_SECRET', 'PORT', 'SECRET'],
  );
  assert.equal(stdout, '');
  assert.doesNotMatch(stderr, /hunter2/);
});

test('settings come from .env too, and the environment goes before it', async t => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, '.env'), 'PORT=x\nBCRYPT_COST=3\n');
  const { code, stderr } = await new ServiceProcess(t, folder, {
    PORT: '0',
    BCRYPT_COST: '10',
    LOG_LEVEL: 'x',
  }).ended();
  assert.equal(code, 78);
  assert.deepEqual(
    stderr
      .trim()
      .split('\n')
      .map(line => line.split(':')[0]),
    ['LOG_LEVEL'],
  );
});

test('a word that means nothing is not taken for a start', async t => {
  const folder = temporaryFolder(t);
  for (const word of ['keys', '--help', '--dev more']) {
    const start = new URL('../bin/start.js', import.meta.url).pathname;
    const ended = promisify(execFile)(process.execPath, [start, ...word.split(' ')], { cwd: folder });
    await assert.rejects(ended, { code: 78, stderr: /there is no such option/ });
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('an address that cannot be had ends with 78 and one line', async t => {
  const folder = temporaryFolder(t);
  const { port } = new URL((await new ServiceProcess(t, folder).client()).url);
  const second = await new ServiceProcess(t, temporaryFolder(t), { PORT: port }).ended();
  assert.equal(second.code, 78);
  assert.match(second.stderr, /^HOST, PORT: .*EADDRINUSE.*\n$/);
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
    'the database is of another program',
    data => change(data, 'pragma application_id = 1'),
    {},
    /not a Plinth database/,
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

test('an old Node gets one clear line', async () => {
  const start = readFileSync(new URL('../bin/start.js', import.meta.url), 'utf8');
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' });\n${start}`;
  const { stderr } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    `${pretend}\nprocess.exitCode = 0;`,
  ]);
  assert.match(stderr, /^Plinth needs Node 26 or later and this is 20\.20\.2\..*\n$/);
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
