import module from 'node:module';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import vm from 'node:vm';

// Plain JavaScript that any Node can read: an old one would stop at the first type annotation without saying why.
const major = Number(process.versions.node.split('.')[0]);
if (major < 26) {
  process.stderr.write(
    `Plinth needs Node 26 or later and this is ${process.versions.node}. "npm ci" brings it and "npm start" uses it.\n`,
  );
  process.exitCode = 1;
} else {
  // It serves, or with the word "command" before everything else it is the operator's tool.
  const entry = process.argv[2] === 'command' ? '../src/cli.ts' : '../src/main.ts';
  // What is compiled once is kept where npm keeps what can be made again; where that cannot be written it works without.
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/plinth', import.meta.url)));
  import(entry).then(tidyUp, error => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    process.stderr.write(`${error.message}\nIs everything installed? Run "npm ci" first.\n`);
    process.exitCode = 1;
  });
}

/** Loading leaves as much memory behind as the service itself needs, and V8 would not give it back without need. */
function tidyUp() {
  module.flushCompileCache();
  v8.setFlagsFromString('--expose-gc');
  vm.runInNewContext('gc')({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  v8.setFlagsFromString('--no-expose-gc');
}
