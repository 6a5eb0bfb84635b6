/**
 * Every test on SQLite, then those that have to do with a database on PostgreSQL: `node test/run.ts [ENGINE] [FILE …]`.
 * All files share one PostgreSQL server, on which each test has databases of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { startPostgres } from './helpers/postgres/start.ts';
import { type EngineName, enginesOf, testFiles } from './helpers/suites.ts';

const [first = '', ...rest] = process.argv.slice(2);
const only = first === 'sqlite' || first === 'postgres' ? first : undefined;
const named = only ? rest : process.argv.slice(2);
const all = testFiles();
const unknown = named.filter(file => !all.includes(file));
if (unknown.length > 0) throw new Error(`there is no test ${unknown.join(', ')}`);
const files = named.length > 0 ? named : all;

/** One more than there are cores, because some wait; and no more than the server has connections for. */
const atOnce = Math.min(availableParallelism() + 1, 8);
/** Every file is a process, and all load much the same: what is compiled once is kept where npm keeps such things. */
const compiled = fileURLToPath(new URL('../node_modules/.cache/plinth-tests', import.meta.url));

if (only !== 'postgres') await runOn('sqlite', 'sqlite');
if (only !== 'sqlite') {
  const server = await startPostgres();
  await runOn('postgres', server.url);
  await server.end();
}

async function runOn(engine: EngineName, database: string): Promise<void> {
  const chosen = files.filter(file => enginesOf(file).includes(engine));
  if (chosen.length === 0) return;
  process.stdout.write(`\n${engine}: ${chosen.length} files\n`);
  const tests = spawn(process.execPath, ['--test', `--test-concurrency=${atOnce}`, ...chosen], {
    env: { ...process.env, TEST_DATABASE: database, NODE_COMPILE_CACHE: compiled },
    stdio: 'inherit',
  });
  const [code] = await once(tests, 'close');
  if (code !== 0) process.exitCode = 1;
}
