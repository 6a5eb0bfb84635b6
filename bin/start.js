import module from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import vm from 'node:vm';

const root = fileURLToPath(new URL('..', import.meta.url));

// Plain JavaScript that any Node can read: an old one would stop at the first type annotation without saying why.
const major = Number(process.versions.node.split('.')[0]);
if (major < 26) {
  process.stderr.write(
    `Plinth needs Node 26 or later and this is ${process.versions.node}. "npm ci" brings it and "npm start" uses it.\n`,
  );
  process.exitCode = 1;
} else {
  // It serves. With the word "confined" it first takes away from itself what it does not need, and with "command" it is
  // the operator's tool.
  const entries = { command: '../src/cli.ts', confined: '../src/confine.ts' };
  const entry = entries[process.argv[2]] ?? '../src/main.ts';
  // What is compiled once is kept where npm keeps what can be made again; where that cannot be written it works without.
  module.enableCompileCache(join(root, 'node_modules/.cache/plinth'));
  import(entry).then(tidyUp, error => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    process.stderr.write(`${error.message}\nIs everything installed? Run "npm ci" first.\n`);
    process.exitCode = 1;
  });
}

/** Loading leaves as much memory behind as the service itself needs, and V8 would not give it back without need. */
function tidyUp() {
  module.flushCompileCache();
  giveUp();
  v8.setFlagsFromString('--expose-gc');
  vm.runInNewContext('gc')({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  v8.setFlagsFromString('--no-expose-gc');
}

/** What `src/confine.ts` allowed for the start alone: SQLite has its files open by then, and goes its own ways to them. */
function giveUp() {
  const flags = process.execArgv.slice(process.execArgv.indexOf('--permission') + 1);
  for (const flag of flags) {
    const [, path] = /^--allow-fs-write=(.*)$/.exec(flag) ?? [];
    if (path === undefined) continue;
    process.permission?.drop?.('fs.write', path);
    // With a folder goes what is in it, and of the code some is read later.
    if (!root.startsWith(join(path, sep))) process.permission?.drop?.('fs.read', path);
  }
}
