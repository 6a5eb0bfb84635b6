import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { serviceFolder } from './helpers/database.ts';
import { temporaryFolder } from './helpers/folder.ts';
import { logIn, refresh } from './helpers/nodes.ts';
import { ServiceProcess } from './helpers/process.ts';

const skip = process.platform === 'win32' && 'a process cannot be replaced there';
const words = ['confined'];
const password = 'a very good passphrase';

test('confined, it serves everything, ends in order, and finds everything again', { skip }, async t => {
  const folder = await serviceFolder(t);
  const first = new ServiceProcess(t, folder, {}, { words });
  const client = await first.client();
  const person = await client.register('ada@example.com', password);
  const tokens = await logIn(client, person);
  assert.equal((await refresh(client, tokens.refresh_token)).status, 200);
  const { access_token: token } = tokens;
  for (const path of [
    '/me',
    '/me/sessions',
    '/docs',
    '/docs/swagger-ui.js',
    '/docs/page.css',
    '/openapi.json',
  ])
    assert.equal((await client.get(path, { token })).status, 200, path);
  const json = { current_password: password, new_password: 'another good passphrase' };
  assert.equal((await client.request('PUT', '/me/password', { token, json })).status, 204);
  assert.equal((await first.stop()).code, 0);
  assert.doesNotMatch(first.stderr, /Warning|Error/);

  const second = new ServiceProcess(t, folder, {}, { words });
  const again = await second.client();
  assert.equal((await again.get('/me', { token })).body.email, person.email);
  await again.login({ email: person.email, password: json.new_password });
  assert.equal((await second.stop()).code, 0);
});

test('confined, it can do nothing that it does not need', { skip }, async t => {
  const seen = await probe(t, words);
  assert.deepEqual(seen, {
    'read what is of others': 'ERR_ACCESS_DENIED',
    'read the settings’ folder': 'ERR_ACCESS_DENIED',
    'write the settings’ folder': 'ERR_ACCESS_DENIED',
    'write its data': 'ERR_ACCESS_DENIED',
    'write its code': 'ERR_ACCESS_DENIED',
    'start a program': 'ERR_ACCESS_DENIED',
    'become a program': 'ERR_ACCESS_DENIED',
    'load an addon': 'refused',
    'use WASI': 'ERR_ACCESS_DENIED',
    'be debugged': 'ERR_ACCESS_DENIED',
    'read its code': 'done',
    'hash in a thread': 'done',
  });
});

test('control: as it is started otherwise, it could', { skip }, async t => {
  const { 'be debugged': _, ...seen } = await probe(t, []);
  assert.deepEqual(new Set(Object.values(seen)), new Set(['done']));
});

test('confined, faults of the settings are told as ever', { skip }, async t => {
  const { code, stderr } = await new ServiceProcess(
    t,
    await serviceFolder(t),
    { PORT: 'x' },
    { words },
  ).ended();
  assert.equal(code, 78);
  assert.match(stderr, /^PORT: "x" is not a whole number from 0 to 65535\n$/);
  const wrong = { words: [...words, '--inspect'] };
  const ended = await new ServiceProcess(t, await serviceFolder(t), {}, wrong).ended();
  assert.equal(ended.code, 78);
  assert.match(ended.stderr, /^--inspect: .*\n$/);
});

test('confined, its data may lie behind a link', { skip }, async t => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'elsewhere'));
  symlinkSync('elsewhere', join(folder, 'link'));
  for (const _ of ['the first start', 'another one']) {
    const url = 'sqlite:link/plinth.db';
    const service = new ServiceProcess(t, folder, { DATABASE_URL: url }, { words });
    assert.equal((await (await service.client()).get('/health/ready')).status, 200);
    assert.equal((await service.stop()).code, 0);
  }
});

test('confined, its data may lie in the folder of the settings, and of the code', { skip }, async t => {
  const folder = temporaryFolder(t);
  const root = new URL('../', import.meta.url).pathname;
  for (const name of ['bin', 'src', 'migrations', 'package.json'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, '.env'), 'DATABASE_URL=sqlite:plinth.db\n');
  const entry = join(folder, 'bin/start.js');
  for (const _ of ['the first start', 'another one']) {
    const service = new ServiceProcess(t, folder, {}, { words, entry });
    const client = await service.client();
    const { token } = await client.person();
    for (const path of ['/docs', '/me/sessions'])
      assert.equal((await client.get(path, { token })).status, 200, path);
    assert.equal((await service.stop()).code, 0);
  }
});

test('confined, a folder that cannot be had is told as ever', { skip }, async t => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'file'), '');
  const settings = { DATABASE_URL: 'sqlite:file/plinth.db' };
  const { code, stderr } = await new ServiceProcess(t, folder, settings, { words }).ended();
  assert.match(stderr, /^the secret file\/secret cannot be read or made: ENOTDIR.*\n$/);
  assert.equal(code, 78);
});

/** What a program within the service can do when it listens: an error's code, or `done`. */
async function probe(t: TestContext, words: readonly string[]): Promise<Record<string, string>> {
  const folder = await serviceFolder(t);
  const file = join(folder, 'probe.mjs');
  writeFileSync(file, program(folder));
  const flags = [`--import=${file}`];
  const allowed = words.length > 0 ? [`--allow-fs-read=${file}`] : [];
  const start = { flags, words: [...words, ...allowed] };
  const service = new ServiceProcess(t, folder, { LOG_LEVEL: 'silent' }, start);
  await service.client();
  service.child.kill('SIGUSR2');
  while (!service.stdout.includes('\n')) await once(service.child.stdout, 'data');
  await service.stop();
  return JSON.parse(service.stdout.split('\n')[0] ?? '');
}

function program(folder: string): string {
  const root = new URL('../', import.meta.url).pathname;
  return `
    import { execFileSync } from 'node:child_process';
    import { createRequire } from 'node:module';
    import fs from 'node:fs';
    import inspector from 'node:inspector';
    import { WASI } from 'node:wasi';
    import { Worker } from 'node:worker_threads';
    const attempts = {
      'read what is of others': () => fs.readFileSync('/etc/passwd'),
      'read the settings’ folder': () => fs.readdirSync('${folder}'),
      'write the settings’ folder': () => fs.writeFileSync('${folder}/.env', ''),
      'write its data': () => {
        fs.mkdirSync('${folder}/data', { recursive: true });
        fs.writeFileSync('${folder}/data/note', 'x');
      },
      'write its code': () => fs.utimesSync('${root}src/main.ts', new Date(), new Date()),
      'start a program': () => execFileSync('true'),
      'become a program': () => {
        // What it would become has to be somewhere, and is nowhere: nobody is to be replaced by the control.
        if (process.permission?.has('child') === false) process.execve('/nowhere', ['nowhere'], {});
      },
      'load an addon': () => createRequire('${root}src/bcrypt/')('@node-rs/bcrypt'),
      'use WASI': () => new WASI({ version: 'preview1' }),
      'be debugged': () => inspector.open(0),
      'read its code': () => fs.readFileSync('${root}src/main.ts'),
      'hash in a thread': () => new Worker('', { eval: true, execArgv: [] }),
    };
    process.on('SIGUSR2', () => {
      const seen = Object.entries(attempts).map(([name, attempt]) => {
        try {
          attempt();
          return [name, 'done'];
        } catch (error) {
          return [name, error.code ?? 'refused'];
        }
      });
      process.stdout.write(JSON.stringify(Object.fromEntries(seen)) + '\\n');
    });`;
}
