import { type Config, ConfigFaults, readConfig } from './config.ts';
import { DatabaseRefused, DatabaseUnavailable, describeDatabase } from './database.ts';
import { readEnvironment } from './environment.ts';
import { SecretRefused } from './secret.ts';
import { type Service, startService } from './service.ts';

/** sysexits.h: the configuration is at fault. The supervisor need not try again. */
const exConfig = 78;
/** Of the same: the database does not answer. The supervisor is to try again. */
const exTemporary = 75;
/** Milliseconds after the drain by which a stop is over, whatever hangs: requests, hashes and the database have less. */
const patience = 30_000;

// Whoever read it is gone: no reason to stop serving.
process.stderr.on('error', () => undefined);

try {
  const [option = '', ...others] = process.argv.slice(2);
  if (!['', '--dev'].includes(option) || others.length > 0) {
    throw new ConfigFaults([
      `${[option, ...others].join(' ')}: there is no such option; for commands: npm run plinth`,
    ]);
  }
  const mode = option === '--dev' ? { NODE_ENV: 'development' } : {};
  const config = readConfig({ ...mode, ...readEnvironment() });
  const service = await startService(config);
  stopOnSignal(service, config.drainDelay);
  announce(service.address, config);
} catch (error) {
  process.exitCode = exConfig;
  if (error instanceof ConfigFaults) for (const fault of error.faults) process.stderr.write(`${fault}\n`);
  else if (error instanceof DatabaseRefused || error instanceof SecretRefused)
    process.stderr.write(`${error.message}\n`);
  else if (isListenError(error)) process.stderr.write(`HOST, PORT: ${error.message}\n`);
  else if (error instanceof DatabaseUnavailable) {
    process.exitCode = exTemporary;
    process.stderr.write(`${error.message}\n`);
  } else throw error;
}

function isListenError(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'syscall' in error &&
    (error.syscall === 'listen' || error.syscall === 'getaddrinfo')
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
 * from a person, and SIGHUP from a terminal that is gone: there is no delay. The second signal ends the process at once.
 */
function stopOnSignal(service: Service, drainDelay: number): void {
  let stopping = false;
  const stop = (seconds: number): void => {
    if (stopping) process.exit(1);
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
  process.on('SIGTERM', () => stop(drainDelay));
  process.on('SIGINT', () => stop(0));
  process.on('SIGHUP', () => stop(0));
}
