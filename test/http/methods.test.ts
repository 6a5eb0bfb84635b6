import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp } from '../helpers/app.ts';
import { sendRaw } from '../helpers/wire.ts';

/** What Node's parser knows and routes can have, and some that none has. */
const verbs = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'];

test('every path refuses every method that it does not have, and says which it has', async t => {
  const app = await startApp(t);
  const { paths } = (await app.get('/openapi.json')).body;
  let refused = 0;
  for (const [path, item] of Object.entries<object>(paths)) {
    const methods = Object.keys(item).map(method => method.toUpperCase());
    if (methods.includes('GET')) methods.push('HEAD');
    for (const verb of verbs.filter(one => !methods.includes(one))) {
      const target = path.replace(/\{\w+\}/, '019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17');
      const bytes = `${verb} ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
      const { status, headers } = await sendRaw(app, bytes);
      assert.deepEqual([status, headers['allow']], [405, methods.sort().join(', ')], `${verb} ${path}`);
      refused++;
    }
  }
  assert.ok(refused > 80);
});
