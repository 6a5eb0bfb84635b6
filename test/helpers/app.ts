import { buildApp } from '../../src/app.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import type { Config } from '../../src/config.ts';
import { readConfig } from '../../src/config.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { createLog } from '../../src/log.ts';
import { createVault } from '../../src/vault.ts';
import type { World } from '../../src/world.ts';
import { Client } from './client.ts';
import { expectConformance } from './conformance.ts';
import { newDatabase } from './database.ts';
import type { Scope } from './scope.ts';

export interface TestApp extends Client {
  readonly world: World;
  /** Every line of the log so far. */
  readonly logged: readonly Record<string, unknown>[];
  /** Turns the service's clock. */
  readonly turnClock: (seconds: number) => void;
  /** Lets what was begun finish; the end of the test does it too. */
  readonly stop: () => Promise<void>;
}

export type Overrides = Partial<Omit<World, 'config'>> & {
  readonly settings?: Readonly<Record<string, string>>;
};

/** For tests that fail at logins or register people by the hundred, and are about something else. */
export const unlimited = { LOGIN_LIMIT_ACCOUNT: '0', LOGIN_LIMIT_SOURCE: '0', NEW_PASSWORD_LIMIT: '0' };

export const testSecret = Buffer.from(
  '00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210',
  'hex',
);

/** A service of one's own on a socket of its own, with a database of its own; all gone when the test ends. */
export async function startApp(t: Scope, { settings = {}, ...overrides }: Overrides = {}): Promise<TestApp> {
  const config = testConfig(settings);
  const database = overrides.database ?? (await temporaryDatabase(t, config));
  const engine = overrides.engine ?? (await createBcryptEngine({ threads: 1, log: () => undefined }));
  let offset = 0;
  const logged: Record<string, unknown>[] = [];
  const world: World = {
    config,
    version: '0.0.0',
    database,
    engine,
    vault: createVault(testSecret),
    clock: () => new Date(Date.now() + offset),
    // Tests and service share an event loop here, and the machine may be busy.
    gauge: { read: () => undefined, stop: () => undefined },
    log: createLog(config.logLevel, {
      stream: { write: line => void logged.push(JSON.parse(line)) },
      flush: () => undefined,
    }),
    ...overrides,
  };
  const app = await buildApp(world);
  t.after(async () => {
    await app.close();
    if (!overrides.engine) await engine.close();
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const client = new Client(url);
  expectConformance(client, () => app.swagger());
  return Object.assign(client, {
    world,
    logged,
    turnClock: (seconds: number) => {
      offset += seconds * 1000;
    },
    stop: () => app.close(),
  });
}

export function testConfig(settings: Readonly<Record<string, string>> = {}): Config {
  return readConfig({ NODE_ENV: 'test', BCRYPT_COST: '4', ...settings });
}

async function temporaryDatabase(t: Scope, { databaseUrl }: Config): Promise<Database> {
  const isDefault = databaseUrl === readConfig({}).databaseUrl;
  const database = await openDatabase(isDefault ? await newDatabase(t) : databaseUrl);
  t.after(() => database.close());
  return database;
}
