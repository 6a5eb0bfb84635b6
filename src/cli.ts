import { systemClock } from './clock.ts';
import { backup } from './commands/backup.ts';
import {
  type Command,
  CommandRefused,
  type Context,
  entry,
  repeated,
  UsageFault,
} from './commands/command.ts';
import { keyCommands } from './commands/keys.ts';
import { migrate } from './commands/migrate.ts';
import { move } from './commands/move.ts';
import { restore } from './commands/restore.ts';
import { reencrypt } from './commands/secret.ts';
import { ConfigFaults, readConfig } from './config.ts';
import { DatabaseRefused, DatabaseUnavailable } from './database.ts';
import { readEnvironment } from './environment.ts';
import { SecretRefused } from './secret.ts';

/** The table of commands, in the order of the help. */
const commands: readonly Command[] = [...keyCommands, reencrypt, migrate, move, backup, restore];

const usage = `npm run plinth -- COMMAND, with the settings of the service:

${commands.map(command => command.usage).join('\n')}
${entry('help [COMMAND]', 'this')}

Exit codes: 0 done, 1 refused, 64 wrong command line, 78 wrong settings, database or secret.
`;

/** By sysexits.h, but for the first. */
const exRefused = 1;
const exUsage = 64;
const exConfig = 78;

// After the word "command", by which `bin/start.js` comes here.
process.exitCode = await main(process.argv.slice(3), {
  config: () => readConfig(readEnvironment()),
  clock: systemClock,
  write: line => void process.stdout.write(`${line}\n`),
  terminal: process.stderr,
});

/** The exit code. */
async function main(words: readonly string[], context: Context): Promise<number> {
  const [first = 'help', ...rest] = words;
  const help = /^(help|-h|--help)$/;
  if (help.test(first) || help.test(rest.at(-1) ?? '')) {
    const asked = help.test(first) ? rest : words.slice(0, -1);
    const command = find(asked);
    if (asked.length > 0 && !command) return unknown(asked);
    process.stdout.write(command ? shown(command) : usage);
    return 0;
  }
  const command = find(words);
  if (!command) return unknown(words);
  try {
    await command.run(words.slice(command.name.split(' ').length), context);
    return 0;
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === undefined || !(error instanceof Error)) throw error;
    process.stderr.write(`${error.message}\n${code === exUsage ? `\n${shown(command)}` : ''}`);
    return code;
  }
}

function find(words: readonly string[]): Command | undefined {
  return commands.find(({ name }) => name === words.slice(0, name.split(' ').length).join(' '));
}

function unknown(words: readonly string[]): number {
  process.stderr.write(`${repeated(words)}: there is no such command\n\n${usage}`);
  return exUsage;
}

function shown({ usage }: Command): string {
  return `npm run plinth -- ${usage.trimStart()}\n`;
}

/** Undefined for what no operator can mend. */
function exitCodeOf(error: unknown): number | undefined {
  const isOne = (kinds: readonly (new (...args: never[]) => Error)[]) =>
    kinds.some(kind => error instanceof kind);
  if (isOne([UsageFault])) return exUsage;
  if (isOne([CommandRefused, DatabaseUnavailable])) return exRefused;
  return isOne([ConfigFaults, DatabaseRefused, SecretRefused]) ? exConfig : undefined;
}
