import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp, type TestApp } from '../helpers/app.ts';
import { converse } from '../helpers/bytes.ts';

const request = (last: boolean): string =>
  `GET /health/live HTTP/1.1\r\nhost: x\r\n${last ? 'connection: close\r\n' : ''}\r\n`;

/** The status lines of the answers to so many requests at once over one connection. */
async function answers({ url }: TestApp, count: number): Promise<readonly string[]> {
  const bytes = request(false).repeat(count - 1) + request(true);
  return (await converse(Number(new URL(url).port), bytes)).match(/HTTP\/1\.1 \d+/g) ?? [];
}

test('32 requests at once over one connection are answered', async t => {
  const app = await startApp(t);
  assert.deepEqual(
    await answers(app, 32),
    Array.from({ length: 32 }, () => 'HTTP/1.1 200'),
  );
});

test('of more, the connection is cut, and nothing is done with the rest', async t => {
  const app = await startApp(t);
  assert.ok((await answers(app, 1000)).length <= 32);
  assert.equal((await app.get('/health/live')).status, 200);
  await app.stop();
  const begun = app.logged.filter(({ route }) => route === '/health/live').length;
  assert.ok(begun <= 33, `${begun} were begun`);
});

test('who waits for the answers can ask as often as they like over one connection', async t => {
  const app = await startApp(t);
  for (let count = 0; count < 70; count++) assert.equal((await app.get('/health/live')).status, 200);
});
