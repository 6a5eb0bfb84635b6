/**
 * Keeps a PostgreSQL server until standard input ends, which it does when whoever started this is done or dead, and leaves
 * nothing behind: no process, no folder, no shared memory. `keeper.ts NAME=VALUE …` with settings of the server.
 *
 * The first line out is the server's URL. Each line in asks for one thing, and each further line out says that it is
 * done: `start`, `stop`, `crash`; `standby URL`, which is answered with the URL of a server that follows the one at that
 * URL; and `promote`, after which that server is the one that is kept.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { installServer } from './install.ts';
import { Server } from './server.ts';
import { copyForStandby, promote } from './standby.ts';

process.on('SIGTERM', () => process.stdin.destroy());
// Nobody may be left to listen; the end of the input says so.
process.stdout.on('error', () => undefined);

const installed = installServer();
const settings = process.argv.slice(2);
let server = new Server(installed, settings);
let standby: Server | undefined;
let standbys = 0;
try {
  await server.start();
  say(server.url);
  for await (const line of createInterface({ input: process.stdin })) say(await answer(line));
} finally {
  await standby?.stop('SIGINT');
  await server.stop('SIGINT');
  installed.remove();
}

async function answer(line: string): Promise<string> {
  const [request, url = ''] = line.split(' ');
  if (request === 'start') await server.start();
  else if (request === 'stop') await server.stop('SIGINT');
  else if (request === 'crash') await server.stop('SIGQUIT');
  else if (request === 'standby') return await follow(url);
  else if (request === 'promote') await takeOver();
  else throw new Error(`what is ${request}?`);
  return 'done';
}

async function follow(from: string): Promise<string> {
  const copy = await copyForStandby(server, join(installed.folder, `standby${++standbys}`));
  standby = new Server(copy, [...settings, `primary_conninfo=${from}`]);
  await standby.start();
  return standby.url;
}

async function takeOver(): Promise<void> {
  if (!standby) throw new Error('there is no standby');
  await server.stop('SIGQUIT');
  await promote(standby);
  rmSync(server.installed.data, { recursive: true, force: true, maxRetries: 5 });
  [server, standby] = [standby, undefined];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
