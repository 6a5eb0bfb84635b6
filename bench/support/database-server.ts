/**
 * The service on a database of one's choice, in a process of its own, with its log written to a file.
 * `node database-server.ts FOLDER DATABASE_URL together|apart`: whether prepared reads of one moment are sent together,
 * which only PostgreSQL has a use for. Sends its parent the port.
 */
import { openSync } from 'node:fs';
import { buildApp } from '../../src/app.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { systemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/database.ts';
import { createLog } from '../../src/log.ts';
import { bufferedOutput } from '../../src/log-output.ts';
import { createVault } from '../../src/vault.ts';

const unlimited = { LOGIN_LIMIT_ACCOUNT: '0', LOGIN_LIMIT_SOURCE: '0', NEW_PASSWORD_LIMIT: '0' };
const [folder = '', url = '', reads = 'together'] = process.argv.slice(2);
const app = await buildApp({
  config: readConfig({ NODE_ENV: 'test', BCRYPT_COST: '4', PORT: '0', ...unlimited }),
  version: '0.0.0',
  database: await openDatabase(url, { together: reads === 'together' }),
  engine: await createBcryptEngine({ threads: 1, log: () => undefined }),
  vault: createVault(Buffer.from('bench'.repeat(8))),
  clock: systemClock,
  log: createLog('info', bufferedOutput(openSync(`${folder}/log`, 'a'))),
});
const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('disconnect', () => process.exit());
process.send?.(Number(port));
