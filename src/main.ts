import { type Config, ConfigFaults, readConfig } from './config.ts';
import { DatabaseRefused, DatabaseUnavailable, describeDatabase } from './database.ts';
import { readEnvironment } from './environment.ts';
import { SecretRefused } from './secret.ts';
import { type Service, startService } from './service.ts';

/** sysexits.h: the configuration is at fault. The supervisor need not try again. */
const exConfig = 78;
/** Of the same: the database does not answer. The supervisor is to try again. */
const exTemporary = 75;
/** Milliseconds for requests in flight after the signal to stop. */
const patience = 20_000;

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
  stopOnSignal(service);
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

/** The first signal lets requests in flight finish; the second, or a wait too long, does not. */
function stopOnSignal(service: Service): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(() => process.exit(1), patience).unref();
    service.stop().then(
      () => process.exit(0),
      error => {
        process.stderr.write(`${error}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
