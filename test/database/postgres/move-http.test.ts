import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Client } from '../../helpers/client.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { logIn, me, refresh, type Tokens } from '../../helpers/nodes.ts';
import { plinth } from '../../helpers/plinth.ts';
import { emptyDatabase } from '../../helpers/postgres/databases.ts';
import { ServiceProcess } from '../../helpers/process.ts';

const options = { NODE_ENV: 'test', BCRYPT_COST: '4' };

test('people stay logged in when their database moves, to PostgreSQL and back', async t => {
  const folder = temporaryFolder(t);
  const [first, second, third] = ['sqlite:old/plinth.db', await emptyDatabase(), 'sqlite:new/plinth.db'];
  const start = (settings: Record<string, string>): ServiceProcess =>
    new ServiceProcess(t, folder, { ...options, ...settings });

  const onFile = start({ DATABASE_URL: first });
  const client = await onFile.client();
  const ada = await client.register('ada@example.com');
  const tokens = await logIn(client, ada);
  const ended = await logIn(client, ada);
  await client.post('/logout', undefined, { token: ended.access_token });
  const inUse = await plinth(folder, ['move', '--to', second], { DATABASE_URL: first });
  assert.deepEqual([inUse.code, inUse.stdout], [1, '']);
  assert.match(inUse.stderr, /plinth\.db is in use: stop the service first\n$/);
  await onFile.stop();

  const there = await plinth(folder, ['move', '--to', second], { DATABASE_URL: first });
  assert.deepEqual([there.code, there.stderr], [0, '']);
  assert.match(there.stdout, /^users +1 rows {2}\w{64}$/m);
  assert.match(there.stdout, /SECRET to what \S+\/old\/secret holds/);
  assert.ok(!there.stdout.includes(new URL(second).password));
  const secret = readFileSync(join(folder, 'old/secret'), 'utf8').trim();
  const onServer = start({ DATABASE_URL: second, SECRET: secret });
  const renewed = await goesOn(await onServer.client(), tokens, ended);
  await onServer.stop();

  const back = await plinth(folder, ['move', '--from', second, '--to', third], { SECRET: secret });
  assert.deepEqual([back.code, back.stderr], [0, '']);
  const onFileAgain = start({ DATABASE_URL: third, SECRET: secret });
  const again = await onFileAgain.client();
  await goesOn(again, renewed, ended);
  assert.equal((await again.post('/users', { email: ada.email, password: ada.password })).status, 409);
});

/** The session as it was: its tokens count, others do not. The renewed ones. */
async function goesOn(client: Client, tokens: Tokens, ended: Tokens): Promise<Tokens> {
  assert.equal(await me(client, tokens.access_token), 200);
  assert.equal(await me(client, ended.access_token), 401);
  assert.equal((await refresh(client, ended.refresh_token)).status, 401);
  const { status, body } = await refresh(client, tokens.refresh_token);
  assert.equal(status, 200);
  assert.equal(await me(client, body.access_token), 200);
  return body;
}
