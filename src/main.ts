import { availableParallelism } from 'node:os';
import { startWorkers, WorkerFailed } from './cluster/primary.ts';
import { isWorker, reportToPrimary } from './cluster/worker.ts';
import { type Config, ConfigFaults, readConfig } from './config.ts';
import { DatabaseRefused, DatabaseUnavailable, describeDatabase } from './database.ts';
import { readEnvironment } from './environment.ts';
import { recordIn } from './events.ts';
import { openLog } from './log.ts';
import { SecretRefused } from './secret.ts';
import type { Service } from './service.ts';

/** sysexits.h: the configuration is at fault. The supervisor need not try again. */
const exConfig = 78;
/** Of the same: the database does not answer. The supervisor is to try again. */
const exTemporary = 75;
const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** Milliseconds after the drain by which a stop is over, whatever hangs: requests, hashes and the database have less. */
const patience = 30_000;

// Whoever read it is gone: no reason to stop serving.
process.stderr.on('error', () => undefined);
/** What a signal does now. Before there is anything to stop, it ends the process. */
let hear: (signal: NodeJS.Signals, number: number) => void = leave;
// The first process of a container gets no signal but those that it has asked for. And asked for once: a signal that has
// come while the event loop was busy is lost where its only listener is taken away, be it for another one.
for (const signal of stopSignals)
  process.on(signal, (name: NodeJS.Signals, number: number) => hear(name, number));

try {
  const [option = '', ...others] = process.argv.slice(2);
  if (!['', '--dev'].includes(option) || others.length > 0) {
    throw new ConfigFaults([
      `${[option, ...others].join(' ')}: there is no such option; for commands: npm run plinth`,
    ]);
  }
  const mode = option === '--dev' ? { NODE_ENV: 'development' } : {};
  const config = readConfig({ ...mode, ...readEnvironment() });
  if (isWorker) await serve(config);
  else announce(await (config.workers === 1 ? serve(config) : serveWithWorkers(config)), config);
} catch (error) {
  process.exitCode = exConfig;
  if (error instanceof ConfigFaults) for (const fault of error.faults) process.stderr.write(`${fault}\n`);
  else if (error instanceof DatabaseRefused || error instanceof SecretRefused)
    process.stderr.write(`${error.message}\n`);
  else if (error instanceof WorkerFailed) process.exitCode = error.code;
  else if (isListenError(error)) process.stderr.write(`HOST, PORT: ${error.message}\n`);
  else if (error instanceof DatabaseUnavailable) {
    process.exitCode = exTemporary;
    process.stderr.write(`${error.message}\n`);
  } else throw error;
  // Its channel to the primary would keep it alive.
  if (isWorker) process.exit();
}

/** In this process; the address. */
async function serve(config: Config): Promise<string> {
  // Not loaded where others serve: it is most of the program.
  const { startService } = await import('./service.ts');
  const service = await startService(config, { isWorker });
  const stop = stopOnSignal(service, config);
  if (isWorker) reportToPrimary(service.address, stop);
  return service.address;
}

/** In processes of their own; the address of them all. */
async function serveWithWorkers(config: Config): Promise<string> {
  if (process.permission?.has('child') === false)
    throw new ConfigFaults(['WORKERS: more than one process needs --allow-child-process']);
  const { log, output } = await openLog(config, { shared: true });
  const cores = availableParallelism();
  const workers = await startWorkers({
    count: config.workers || cores,
    hashThreads: config.hashThreads || cores,
    record: recordIn(log),
    monotonic: () => performance.now(),
    onGivenUp(reason) {
      process.stderr.write(`${reason}\n`);
      workers.stop(0).finally(() => process.exit(1));
    },
  });
  stopOnSignal({ stop: seconds => workers.stop(seconds).then(() => output.flush()) }, config);
  return workers.address;
}

function isListenError(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'syscall' in error &&
    // A worker hears of its primary's "bind".
    ['listen', 'bind', 'getaddrinfo'].includes(String(error.syscall))
  );
}

/** To standard error, for people; the log on standard output has it too. */
function announce(address: string, config: Config): void {
  const place = describeDatabase(config.databaseUrl);
  process.stderr.write(
    `Plinth listens on ${address}\nTry it out      ${address}/docs\nData lies in    ${place}\n`,
  );
}

/**
 * SIGTERM comes from a supervisor that has to tell a load balancer: the service goes on for `DRAIN_DELAY`. SIGINT comes
 * from a person, and SIGHUP from a terminal that is gone: there is no delay. The next signal ends the process at once.
 * Returned: what the first of them does.
 */
function stopOnSignal(
  service: Pick<Service, 'stop'>,
  { drainDelay, environment }: Config,
): (seconds: number) => void {
  // Each Ctrl-C comes twice to a program under `node --watch`: from the terminal, and from the watcher.
  const patient = environment === 'development' ? 2 : 1;
  let stopping = false;
  let signals = 0;
  const stop = (seconds: number): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), seconds * 1000 + patience).unref();
    service.stop(seconds).then(
      () => process.exit(0),
      error => {
        process.stderr.write(`${error}\n`);
        process.exit(1);
      },
    );
  };
  const onSignal = (seconds: number): void => {
    signals++;
    if (signals > patient) process.exit(1);
    stop(seconds);
  };
  hear = signal => onSignal(signal === 'SIGTERM' ? drainDelay : 0);
  return stop;
}

/** With the exit code that shells give to whoever ends by a signal. */
function leave(_: NodeJS.Signals, number: number): void {
  process.exit(128 + number);
}
