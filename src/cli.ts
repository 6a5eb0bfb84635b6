import { existsSync } from 'node:fs';
import { keysUsage, runKeyCommand } from './auth/key-commands.ts';
import { createKeyOperations, KeyRefused, resealKeys } from './auth/keys.ts';
import { systemClock } from './clock.ts';
import { ConfigFaults, readConfig } from './config.ts';
import { DatabaseRefused, DatabaseUnavailable, openDatabase } from './database.ts';
import { readEnvironment } from './environment.ts';
import { checkSecret, claimDatabase, reclaimDatabase } from './instance.ts';
import { SecretRefused, secretBeside } from './secret.ts';
import { createVault } from './vault.ts';

const usage = `npm run plinth -- COMMAND, with the settings of the service:

${keysUsage}
secret reencrypt          after SECRET was changed, with SECRET_PREVIOUS: encrypt everything anew
help                      this
`;

/** sysexits.h: a wrong command line, a wrong configuration. */
const exUsage = 64;
const exConfig = 78;

// After the word "command", by which `bin/start.js` comes here.
process.exitCode = await run(process.argv.slice(3));

/** The exit code. */
async function run([topic = 'help', ...rest]: readonly string[]): Promise<number> {
  if (/^(help|-h|--help)$/.test(topic) && rest.length === 0) {
    process.stdout.write(usage);
    return 0;
  }
  try {
    const known = await withDatabase(topic, rest);
    if (!known) process.stderr.write(usage);
    return known ? 0 : exUsage;
  } catch (error) {
    if (!isForOperator(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof KeyRefused ? 1 : exConfig;
  }
}

function isForOperator(error: unknown): error is Error {
  const kinds = [ConfigFaults, DatabaseRefused, DatabaseUnavailable, SecretRefused, KeyRefused];
  return kinds.some(kind => error instanceof kind);
}

async function withDatabase(topic: string, rest: readonly string[]): Promise<boolean> {
  if (topic !== 'keys' && topic !== 'secret') return false;
  const config = readConfig(readEnvironment());
  const path = config.databaseUrl.slice('sqlite:'.length);
  if (!existsSync(path)) throw new DatabaseRefused(`there is no database ${path}`);
  const vault = createVault(config.secret ?? secretBeside(config.databaseUrl), config.previousSecret);
  const database = await openDatabase(config.databaseUrl, { accept: facts => checkSecret(facts, vault) });
  try {
    await claimDatabase(database, vault);
    const write = (line: string) => void process.stdout.write(`${line}\n`);
    if (topic === 'keys') {
      const { accessTokenTtl } = config;
      const operations = createKeyOperations({ database, vault, clock: systemClock, accessTokenTtl });
      return await runKeyCommand(rest, operations, systemClock(), write);
    }
    if (rest.join(' ') !== 'reencrypt') return false;
    const count = await database.transaction(async tx => {
      const resealed = await resealKeys(tx, vault);
      await reclaimDatabase(tx, vault);
      return resealed;
    });
    write(`${count} keys are encrypted with SECRET now; SECRET_PREVIOUS can go`);
    return true;
  } finally {
    await database.close();
  }
}
