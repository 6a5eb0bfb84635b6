import { buildApp } from '../../src/app.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { systemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import type { DatabaseOptions } from '../../src/database/engine.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { createLog } from '../../src/log.ts';
import { bufferedOutput } from '../../src/log-output.ts';
import { createVault } from '../../src/vault.ts';
import type { World } from '../../src/world.ts';

/** Serves as the service does, with a database that is wrong in some way: for controls, as a process of their own. */
export async function serveWith(
  wrong: (database: Database) => Database,
  options: DatabaseOptions = {},
  world: Pick<World, 'monotonic'> = {},
): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog(config.logLevel, bufferedOutput(1));
  const database = await openDatabase(config.databaseUrl, options);
  const engine = await createBcryptEngine({ threads: 1, log: line => log.warn(line) });
  const vault = createVault(config.secret ?? new Uint8Array(32).fill(7));
  const app = await buildApp({
    ...{ config, version: '0.0.0', engine, vault, clock: systemClock, log },
    database: wrong(database),
    ...world,
  });
  const address = await app.listen({ host: config.host, port: config.port });
  process.stderr.write(`Plinth listens on ${address}\n`);
  process.once('SIGTERM', async () => {
    await app.close();
    await engine.close();
    await database.close();
    process.exit(0);
  });
}
