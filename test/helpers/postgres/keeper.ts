/**
 * Keeps a PostgreSQL server until standard input ends, which it does when whoever started this is done or dead, and leaves
 * nothing behind: no process, no folder, no shared memory. `keeper.ts NAME=VALUE …` with settings of the server.
 *
 * The first line out is the server's URL. Each line in asks for one thing, `start`, `stop` or `crash`, and each further
 * line out says that it is done.
 */
import { createInterface } from 'node:readline';
import { installServer } from './install.ts';
import { Server } from './server.ts';

process.on('SIGTERM', () => process.stdin.destroy());
// Nobody may be left to listen; the end of the input says so.
process.stdout.on('error', () => undefined);

const installed = installServer();
try {
  const server = new Server(installed, process.argv.slice(2));
  try {
    await server.start();
    say(server.url);
    for await (const request of createInterface({ input: process.stdin })) {
      if (request === 'start') await server.start();
      else if (request === 'stop') await server.stop('SIGINT');
      else if (request === 'crash') await server.stop('SIGQUIT');
      else throw new Error(`what is ${request}?`);
      say('done');
    }
  } finally {
    await server.stop('SIGINT');
  }
} finally {
  installed.remove();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
