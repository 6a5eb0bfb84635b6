import assert from 'node:assert/strict';
import test from 'node:test';
import { type Context, command, UsageFault } from '../../src/commands/command.ts';
import { keyCommands } from '../../src/commands/keys.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { plinth } from '../helpers/plinth.ts';

const nothing: Context = {
  config: () => assert.fail('it looked at the settings'),
  clock: () => new Date(0),
  write: line => assert.fail(line),
  terminal: { write: text => assert.fail(text) },
};

const sample = (run: (input: object) => void) =>
  command({
    name: 'sample',
    operands: ['FROM', 'TO'],
    switches: { force: 'do it all the same' },
    values: { limit: ['N', 'at most so many,\nor fewer'] },
    summary: 'a sample',
    run: async input => run(input),
  });

/** What follows the name, and what the command gets. */
const accepted: readonly (readonly [line: string, input: object])[] = [
  ['a b', { FROM: 'a', TO: 'b', force: false }],
  ['a b --force', { FROM: 'a', TO: 'b', force: true }],
  ['--limit 3 a b', { FROM: 'a', TO: 'b', force: false, limit: '3' }],
  ['--limit=3 a --force b', { FROM: 'a', TO: 'b', force: true, limit: '3' }],
  ['-- --force -b', { FROM: '--force', TO: '-b', force: false }],
];

const refused: readonly (readonly [line: string, says: RegExp])[] = [
  ['', /^FROM is missing$/],
  ['a', /^TO is missing$/],
  ['a b c d', /^what is c d\?$/],
  ['a b postgres://u:hunter2@h/d', /^what is postgres:\/\/…@h\/d\?$/],
  ['a b --nonsense', /--nonsense/],
  ['a b --force=no', /--force/],
  ['a b --limit', /--limit/],
  ['a b -f', /-f/],
];

test('operands and options reach a command by name, and nothing else does', async () => {
  const given: object[] = [];
  for (const [line] of accepted) await sample(input => given.push(input)).run(words(line), nothing);
  assert.deepEqual(
    given,
    accepted.map(([, input]) => input),
  );
  for (const [line, message] of refused) {
    const never = sample(() => assert.fail(line));
    await assert.rejects(never.run(words(line), nothing), { name: 'UsageFault', message }, line);
  }
});

test('where there are no options, a word with a hyphen is an operand', async () => {
  const given: string[] = [];
  const plain = command({
    name: 'x',
    operands: ['KID'],
    summary: '',
    run: async ({ KID }) => void given.push(KID),
  });
  for (const kid of ['-abc', '--', '--force']) await plain.run([kid], nothing);
  assert.deepEqual(given, ['-abc', '--', '--force']);
});

test('a command with the wrong words looks at nothing', async () => {
  for (const line of ['keys list all', 'keys rotate now', 'keys retire', 'keys retire a b', 'keys revoke']) {
    const [topic, verb, ...rest] = words(line);
    const found = keyCommands.find(({ name }) => name === `${topic} ${verb}`);
    await assert.rejects(async () => found?.run(rest, nothing), UsageFault, line);
  }
});

test('the help has a command with its options in two columns', () => {
  assert.equal(
    sample(() => {}).usage,
    `sample FROM TO            a sample
  --limit N               at most so many,
                          or fewer
  --force                 do it all the same`,
  );
});

/** What an operator types, the exit code, and what they are told on which side. */
const lines: readonly (readonly [line: string, code: number, says: RegExp])[] = [
  ['', 0, /^npm run plinth -- COMMAND.*\n\nkeys list (.*\n)+help \[COMMAND\] /],
  ['help', 0, /^npm run plinth -- COMMAND/],
  ['--help', 0, /^npm run plinth -- COMMAND/],
  ['help keys rotate', 0, /^npm run plinth -- keys rotate +add a key.*\n$/],
  ['keys rotate --help', 0, /^npm run plinth -- keys rotate +add a key.*\n$/],
  ['help nonsense', 64, /^nonsense: there is no such command\n\nnpm run plinth -- COMMAND/],
  ['keys', 64, /^keys: there is no such command\n/],
  ['moove --to postgres://u:hunter2@h/d', 64, /^moove --to postgres:\/\/…@h\/d: there is no such command\n/],
  ['keys LIST', 64, /^keys LIST: there is no such command\n/],
];

test('help is given when it is asked for, and where there is no such command', async t => {
  const folder = temporaryFolder(t);
  await Promise.all(
    lines.map(async ([line, code, says]) => {
      const ran = await plinth(folder, words(line));
      assert.equal(ran.code, code, line);
      assert.match(code === 0 ? ran.stdout : ran.stderr, says);
      assert.equal(code === 0 ? ran.stderr : ran.stdout, '');
    }),
  );
});

function words(line: string): string[] {
  return line === '' ? [] : line.split(' ');
}
