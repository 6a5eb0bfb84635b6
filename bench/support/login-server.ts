/**
 * The service with one of three ways to hash, in a process of its own, with a file database and its log written to a file.
 * `node login-server.ts FOLDER lanes|@node-rs/bcrypt|bcrypt COST`; sends its parent the port.
 */
import { openSync } from 'node:fs';
import bcrypt from 'bcrypt';
import { buildApp } from '../../src/app.ts';
import { type BcryptEngine, createLaneEngine, createNativeEngine } from '../../src/bcrypt/index.ts';
import { systemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/database.ts';
import { createLog } from '../../src/log.ts';
import { bufferedOutput } from '../../src/log-output.ts';
import { encodeBase64, parseHash } from '../../src/users/bcrypt-formats.ts';
import { createVault } from '../../src/vault.ts';

const [folder = '', name = '', cost = '12'] = process.argv.slice(2);
const patient = { maxWait: Number.POSITIVE_INFINITY, log: (line: string) => process.stderr.write(line) };
const engines: Readonly<Record<string, () => BcryptEngine | Promise<BcryptEngine>>> = {
  lanes: () => createLaneEngine(patient),
  '@node-rs/bcrypt': () => createNativeEngine(patient),
  bcrypt: () => ({
    description: 'bcrypt on the pool of libuv',
    digest: async ({ password, salt, cost: rounds }) => {
      const text = `$2b$${String(rounds).padStart(2, '0')}$${encodeBase64(salt)}`;
      return parseHash(await bcrypt.hash(Buffer.from(password), text))?.digest ?? new Uint8Array();
    },
    close: async () => {},
  }),
};
const engine = await engines[name]?.();
if (!engine) throw new Error(`there is no engine ${name}`);
const config = readConfig({ BCRYPT_COST: cost, PORT: '0' });
const app = await buildApp({
  config,
  version: '0.0.0',
  database: await openDatabase(`sqlite:${folder}/plinth.db`),
  engine,
  vault: createVault(Buffer.from('bench'.repeat(8))),
  clock: systemClock,
  log: createLog('info', bufferedOutput(openSync(`${folder}/log`, 'a'))),
});
const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('disconnect', () => process.exit());
process.send?.(Number(port));
