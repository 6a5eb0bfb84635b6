import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import type { Client } from '../../helpers/client.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { emptyDatabase } from '../../helpers/postgres/databases.ts';
import { ServiceProcess } from '../../helpers/process.ts';

const password = 'a very good passphrase';

test('three workers on an empty database: migrated once, announced once, every line says from whom', async t => {
  const service = await start(t, { WORKERS: '3', HASH_THREADS: '4' });
  const client = await service.client();
  const { email, token } = await client.person();
  const workers = await listening(service, 3);
  for (let i = 0; i < 6; i++) {
    const { status, body } = await client.get('/me', { token, headers: { connection: 'close' } });
    assert.deepEqual([status, body.email], [200, email]);
  }
  const { code, stdout, stderr } = await service.stop();
  assert.equal(code, 0);
  assert.equal(stderr.match(/listens on/g)?.length, 1);
  assert.doesNotMatch(stderr, /Unhandled|Error/);
  const lines = stdout.trim().split('\n');
  for (const line of lines) assert.equal(typeof JSON.parse(line).pid, 'number', line);
  const addresses = new Set(lines.flatMap(line => JSON.parse(line).address ?? []));
  assert.deepEqual([...addresses], [client.url]);
  const threads = [...workers.values()].map(({ hashing }) => hashing.replace(/.* x /, ''));
  assert.deepEqual(threads.sort(), ['1 threads', '1 threads', '2 threads']);
  const asked = lines.map(line => JSON.parse(line)).filter(({ route }) => route === '/me');
  assert.ok(new Set(asked.map(({ pid }) => pid)).size > 1, 'one worker had all the work');
});

test('a worker that is killed is replaced, and the others serve meanwhile', async t => {
  const service = await start(t, { WORKERS: '2' });
  const client = await service.client();
  const token = (await client.person()).token;
  const [killed = 0] = (await listening(service, 2)).keys();
  process.kill(killed, 'SIGKILL');
  await listening(service, 3);
  assert.equal((await client.get('/me', { token, headers: { connection: 'close' } })).status, 200);
  assert.equal((await service.stop()).code, 0);
  assert.match(service.stdout, new RegExp(`"event":"worker_ended","worker":${killed},"end":"SIGKILL"`));
});

test('requests in flight finish on every worker after the signal to stop', async t => {
  const service = await start(t, { WORKERS: '2', BCRYPT_COST: '12', HASH_MAX_WAIT: '60000' });
  const client = await service.client();
  const workers = await listening(service, 2);
  const registrations = Array.from({ length: 4 }, (_, i) =>
    client.post('/users', { email: `p${i}@example.com`, password }),
  );
  await answering(service, client, 2);
  // As a terminal does it: everybody gets the signal.
  for (const pid of workers.keys()) process.kill(pid, 'SIGINT');
  service.child.kill('SIGINT');
  for (const { status } of await Promise.all(registrations)) assert.equal(status, 201);
  assert.equal((await service.ended()).code, 0);
});

test('one that still starts hears of the stop too', async t => {
  const service = await start(t, { WORKERS: '2' });
  // The second is started when the first serves.
  await service.client();
  assert.equal((await service.stop()).code, 0);
});

test('a second signal ends all at once', async t => {
  const service = await start(t, { WORKERS: '2', BCRYPT_COST: '15' });
  const client = await service.client();
  await listening(service, 2);
  const registration = client.post('/users', { email: 'ada@example.com', password });
  await client.get('/health/live');
  service.child.kill('SIGTERM');
  service.child.kill('SIGINT');
  await assert.rejects(registration);
  // And with it everything that writes where it writes.
  assert.equal((await service.ended()).code, 1);
});

test('whatever keeps them from starting is said once', async t => {
  const taken = new URL((await (await start(t, {})).client()).url).port;
  const missing = new URL(await emptyDatabase());
  missing.pathname = 'nowhere';
  const faults: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ PORT: 'x' }, /^PORT: .*\n$/],
    [{ PORT: taken }, /^HOST, PORT: .*EADDRINUSE.*\n$/],
    [{ DATABASE_URL: missing.href }, /^.*nowhere.*\n$/],
  ];
  for (const [settings, says] of faults) {
    const service = await start(t, { WORKERS: '3', ...settings });
    const { code, stderr, stdout } = await service.ended();
    assert.match(stderr, says);
    assert.equal(code, 78);
    assert.doesNotMatch(stdout, /service_started/);
  }
});

/**
 * Asks until so many workers have answered. Connections are given out in order, so each of them is at work on what came
 * before.
 */
async function answering(service: ServiceProcess, client: Client, count: number): Promise<void> {
  const answered = new Set<string>();
  while (answered.size < count) {
    await client.get('/health/live', { headers: { connection: 'close' } });
    for (const [, pid = ''] of service.stdout.matchAll(/"pid":(\d+),[^\n]*"route":"\/health\/live"/g))
      answered.add(pid);
  }
}

async function start(t: TestContext, settings: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const database = {
    DATABASE_URL: await emptyDatabase(),
    SECRET: 'Zr0u8Jt5mQxWc2Lb7Vn4Ks9Dp1Fg6Hy3Ta0Ei5Ro8Nw',
  };
  return new ServiceProcess(t, temporaryFolder(t), { ...database, ...settings });
}

/** The workers that ever listened, by process id, as soon as there are so many. */
async function listening(
  service: ServiceProcess,
  count: number,
): Promise<Map<number, { readonly hashing: string }>> {
  for (;;) {
    const lines = service.stdout.split('\n').filter(line => line.includes('"event":"service_started"'));
    if (lines.length >= count)
      return new Map(lines.map(line => JSON.parse(line)).map(({ pid, hashing }) => [pid, { hashing }]));
    await once(service.child.stdout, 'data');
  }
}
