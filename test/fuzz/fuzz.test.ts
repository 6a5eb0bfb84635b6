import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp } from '../helpers/app.ts';
import { serviceFolder } from '../helpers/database.ts';
import { ServiceProcess } from '../helpers/process.ts';
import { fuzz } from './fuzz.ts';

test('2,000 changed requests get answers of the document, and the process lives', async t => {
  const settings = { NODE_ENV: 'test', BCRYPT_COST: '4', LOG_LEVEL: 'error' };
  const service = new ServiceProcess(t, await serviceFolder(t), settings);
  const { url } = await service.client();
  const { statuses, faults } = await fuzz({ url, seed: 1, count: 2000, connections: 8 });
  assert.deepEqual(faults, []);
  for (const status of [200, 204, 400, 401, 404, 405, 413, 415, 422])
    assert.ok((statuses[status] ?? 0) > 0, `none of them was a ${status}: ${JSON.stringify(statuses)}`);
  const { code, stdout } = await service.stop();
  assert.deepEqual([code, stdout], [0, '']);
});

test('a service that fails within is found out', async t => {
  const app = await startApp(t, {
    engine: {
      description: 'broken',
      digest: async () => Promise.reject(new Error('broken')),
      close: async () => {},
    },
  });
  await assert.rejects(
    fuzz({ url: app.url, seed: 1, count: 500, connections: 8 }).then(({ faults }) =>
      assert.deepEqual(faults, []),
    ),
  );
});
