import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from './helpers/folder.ts';

const root = new URL('../', import.meta.url).pathname;
const copied = [
  'src',
  'migrations',
  'bench',
  'release',
  'test',
  'bin',
  'package.json',
  'tsconfig.json',
  'biome.json',
];
/** Its own tests, and that imports point inward still. */
const suites = ['notes', 'architecture'];

/** A block of code of the page, and the file that is named before it. */
interface Step {
  readonly file: string;
  readonly language: string;
  readonly code: string;
}

test('the worked example of docs/adding-a-resource.md works to the letter', async t => {
  const copy = temporaryFolder(t);
  for (const name of copied) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));

  const steps = readSteps();
  for (const step of steps) follow(copy, step);
  assert.equal(steps.map(({ language }) => language).join(' '), 'ts ts ts ts diff diff diff diff ts');

  const changed = new Set(steps.map(({ file }) => file));
  // The copy is no repository, which the linter would ask for what is ignored.
  await run(copy, 'biome', 'check', '--error-on-warnings', '--vcs-enabled=false', ...changed);
  await run(copy, 'tsc');
  const report = await run(copy, 'node', '--test', ...suites.map(name => `test/${name}.test.ts`));
  assert.match(report, /notes go with their owner/);
});

function readSteps(): Step[] {
  const page = readFileSync(join(root, 'docs/adding-a-resource.md'), 'utf8');
  const next = String(readdirSync(join(root, 'migrations')).length + 1).padStart(4, '0');
  let file = '';
  return [...page.matchAll(/^(?:In )?`([\w/.-]+\.ts)`|^```(\w+)\n(.*?)^```$/gms)].flatMap(match => {
    const [, named, language, code = ''] = match;
    if (named) file = named.replace('NNNN', next);
    return language ? [{ file, language, code }] : [];
  });
}

function follow(copy: string, { file, language, code }: Step): void {
  const path = join(copy, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, language === 'diff' ? edited(readFileSync(path, 'utf8'), code) : code);
}

/** The lines of a difference that stay have to be there, together and once. */
function edited(text: string, difference: string): string {
  const lines = difference.trimEnd().split('\n');
  const joined = (some: readonly string[]) => some.map(line => `${line.slice(1)}\n`).join('');
  const before = joined(lines.filter(line => !line.startsWith('+')));
  assert.equal(text.split(before).length, 2, `not there, or not once: ${before}`);
  return text.replace(before, () => joined(lines));
}

/** What the command writes; fails with it when the command does. */
async function run(folder: string, command: string, ...parameters: readonly string[]): Promise<string> {
  const bin = join(root, 'node_modules/.bin');
  // Told of the tests around it, `node --test` would run nothing.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const env = { ...environment, PATH: `${bin}:${process.env['PATH']}` };
  try {
    return (await promisify(execFile)(join(bin, command), parameters, { cwd: folder, env })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return assert.fail(`${command}: ${stdout}${stderr}`);
  }
}
