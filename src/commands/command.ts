import { parseArgs } from 'node:util';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Terminal } from './progress.ts';

/** What an operator can have done, as the table of commands has it. */
export interface Command {
  /** As it is typed: `keys rotate`. */
  readonly name: string;
  /** The lines of the help about it. */
  readonly usage: string;
  /** Throws `UsageFault` when the words are not what it takes, before anything is done. */
  readonly run: (words: readonly string[], context: Context) => Promise<void>;
}

/** What a command has to work with. */
export interface Context {
  /** The settings of the service. Throws `ConfigFaults`. */
  readonly config: () => Config;
  readonly clock: Clock;
  /** A line of the answer, to standard output. */
  readonly write: (line: string) => void;
  /** Where progress is shown: standard error. */
  readonly terminal: Terminal;
}

/** The words after a command are not what it takes. */
export class UsageFault extends Error {
  override readonly name = 'UsageFault';
}

/** It makes no sense, or would do harm, and was not done; the message is for the operator. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused';
}

interface Definition<Operand extends string, Switch extends string, Value extends string> {
  readonly name: string;
  /** What has to follow the name, in this order; in the help by these names. */
  readonly operands?: readonly Operand[];
  /** Options that are given or not, and what they do. */
  readonly switches?: Readonly<Record<Switch, string>>;
  /** Options that have a value: what that is, and what they do. */
  readonly values?: Readonly<Record<Value, readonly [value: string, summary: string]>>;
  readonly summary: string;
  readonly run: (
    input: Readonly<Record<Operand, string> & Record<Switch, boolean> & Record<Value, string | undefined>>,
    context: Context,
  ) => Promise<void>;
}

export function command<
  Operand extends string = never,
  Switch extends string = never,
  Value extends string = never,
>(definition: Definition<Operand, Switch, Value>): Command {
  const { name, run } = definition;
  return {
    name,
    usage: usageOf(definition),
    run: async (words, context) => await run(parse(definition, words), context),
  };
}

function usageOf({
  name,
  operands = [],
  switches = {},
  values = {},
  summary,
}: Definition<string, string, string>): string {
  return [
    entry([name, ...operands].join(' '), summary),
    ...Object.entries(values).map(([option, [value, does]]) => entry(`  --${option} ${value}`, does)),
    ...Object.entries(switches).map(([option, does]) => entry(`  --${option}`, does)),
  ].join('\n');
}

/** Two columns, where the second may have several lines. */
export function entry(left: string, right: string): string {
  return left.padEnd(column) + right.replaceAll('\n', `\n${' '.repeat(column)}`);
}

const column = 26;

/** What was typed, without the user and password of a URL. */
export function repeated(words: readonly string[]): string {
  return words.map(word => word.replace(/\/\/.*@/s, '//…@')).join(' ');
}

function parse<Operand extends string, Switch extends string, Value extends string>(
  { operands = [], switches, values }: Definition<Operand, Switch, Value>,
  words: readonly string[],
): Record<Operand, string> & Record<Switch, boolean> & Record<Value, string | undefined> {
  const switchNames = Object.keys(switches ?? {});
  const valueNames = Object.keys(values ?? {});
  // Without options every word is an operand: the name of a key may begin with a hyphen.
  const { positionals, values: given } =
    switchNames.length + valueNames.length === 0
      ? { positionals: words, values: {} }
      : parseOptions(words, switchNames, valueNames);
  const missing = operands[positionals.length];
  if (missing !== undefined) throw new UsageFault(`${missing} is missing`);
  if (positionals.length > operands.length)
    throw new UsageFault(`what is ${repeated(positionals.slice(operands.length))}?`);
  const absent = switchNames.map(name => [name, false]);
  const named = operands.map((name, at) => [name, positionals[at]]);
  return Object.fromEntries([...absent, ...Object.entries(given), ...named]);
}

function parseOptions(
  words: readonly string[],
  switches: readonly string[],
  values: readonly string[],
): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: Object.fromEntries([
        ...switches.map(name => [name, { type: 'boolean' }]),
        ...values.map(name => [name, { type: 'string' }]),
      ]),
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageFault(error.message, { cause: error });
  }
}
