import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { buildApp } from './app.ts';
import { createBcryptEngine } from './bcrypt/index.ts';
import { systemClock } from './clock.ts';
import { type Config, publicSettings } from './config.ts';
import { openDatabase } from './database.ts';
import { recordIn } from './events.ts';
import { listen } from './http/listen.ts';
import { checkSecret, claimDatabase, exposedFiles, openVault } from './instance.ts';
import { openLog } from './log.ts';

export interface Service {
  /** As a URL, with the port that was taken. */
  readonly address: string;
  /**
   * Says that it is not ready and serves on for so many seconds, each answer the last of its connection; then takes no
   * new connections, lets requests in flight finish, for 20 seconds at most, and closes everything.
   */
  stop(drainDelay: number): Promise<void>;
}

/** Milliseconds for requests in flight once there are no new ones. */
const patience = 20_000;

/** Opens everything in order, and closes what was opened when a later step fails. */
export async function startService(
  config: Config,
  { isWorker = false }: { readonly isWorker?: boolean } = {},
): Promise<Service> {
  const { log, output } = await openLog(config, { shared: isWorker });
  const record = recordIn(log);
  await using closing = new AsyncDisposableStack();
  closing.defer(() => output.flush());
  let started = false;
  closing.defer(() => {
    if (started) record('service_stopped');
  });
  const onCrash = (error: Error): void => record('service_crashed', { err: error });
  process.once('uncaughtExceptionMonitor', onCrash);
  closing.defer(() => void process.off('uncaughtExceptionMonitor', onCrash));

  // Begun first and waited for last: its thread starts while this one opens the rest.
  const starting = createBcryptEngine({
    ...(config.hashThreads > 0 && { threads: config.hashThreads }),
    maxWait: config.hashMaxWait,
    log: detail => record('hashing_degraded', { detail }),
  });
  closing.defer(async () => await (await starting).close());

  const vault = await openVault(config);
  const database = await openDatabase(config.databaseUrl, {
    accept: facts => checkSecret(facts, vault),
    migrate: config.migrate,
    connections: config.databasePool,
    onFatal: cause => record('disk_failed', { err: cause }),
    onNotDurable: off => record('database_not_durable', { off }),
    // Node's permission model forbids a program to sync a file.
    syncsAlone: process.permission !== undefined,
  });
  closing.defer(() => database.close());
  if (await claimDatabase(database, vault)) record('database_created');
  const files = exposedFiles(config);
  if (files.length > 0) record('files_exposed', { files });

  const engine = await starting;
  const version = programVersion();
  const app = await buildApp({
    config,
    version,
    database,
    engine,
    vault,
    clock: systemClock,
    log,
  });
  closing.defer(async () => {
    const cut = setTimeout(() => app.server.closeAllConnections(), patience);
    await app.close();
    clearTimeout(cut);
  });
  const address = await listen(app, config);
  started = true;
  record('service_started', {
    version,
    node: process.version,
    address,
    hashing: engine.description,
    settings: publicSettings(config),
  });

  const opened = closing.move();
  const stop = async (drainDelay: number): Promise<void> => {
    record('service_stopping', { drain_delay: drainDelay });
    app.beginDrain();
    await delay(drainDelay * 1000);
    await opened.disposeAsync();
  };
  return { address, stop };
}

function programVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
