import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { serviceFolder } from './helpers/database.ts';
import { temporaryFolder } from './helpers/folder.ts';
import { ServiceProcess } from './helpers/process.ts';

const password = 'a very good passphrase';

test('a second start finds everything again', async t => {
  const folder = await serviceFolder(t);
  const first = new ServiceProcess(t, folder);
  const client = await first.client();
  const { email } = await client.register('ada@example.com', password);
  const token = await client.login({ email, password });
  assert.equal((await first.stop()).code, 0);

  const second = new ServiceProcess(t, folder);
  const again = await second.client();
  assert.equal((await again.get('/me', { token })).body.email, email);
  await again.login({ email, password });
  assert.equal((await second.stop('SIGINT')).code, 0);
});

test('requests in flight finish after the signal to stop', async t => {
  const service = new ServiceProcess(t, await serviceFolder(t), {
    BCRYPT_COST: '13',
    HASH_MAX_WAIT: '60000',
  });
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
  const folder = await serviceFolder(t);
  const { port } = new URL((await new ServiceProcess(t, folder).client()).url);
  const second = await new ServiceProcess(t, folder, { PORT: port }).ended();
  assert.equal(second.code, 78);
  assert.match(second.stderr, /^HOST, PORT: .*EADDRINUSE.*\n$/);
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

test('npm start, its confined form and the container give V8 the flags that docs/decisions/speed.md and docs/reliability.md have reasons for', () => {
  const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const [, container = ''] = /^CMD (\[.*\])$/m.exec(read('Dockerfile')) ?? [];
  const start = 'node --max-semi-space-size=16 --no-allocation-site-pretenuring bin/start.js';
  assert.equal(scripts['start'], start);
  assert.equal(scripts['start:confined'], `${start} confined`);
  assert.deepEqual(JSON.parse(container), start.split(' '));
});
