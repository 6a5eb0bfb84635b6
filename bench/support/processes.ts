import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FixedAnswer } from './bare.ts';
import type { Load, Measured } from './load.ts';

/** A server in a process of its own. */
export interface Server {
  readonly port: number;
  readonly pid: number;
  /** Milliseconds from before the process began to when it took connections. */
  readonly started: number;
  stop(): Promise<void>;
}

/**
 * The service as `npm start` starts it, with its data and its log in `folder`; a second one there shares the database.
 * @param flags for Node, besides those of `npm start`
 */
export async function startService(
  folder: string,
  environment: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
): Promise<Server> {
  const before = performance.now();
  const child = spawn(process.execPath, [...flags, ...startCommand()], {
    cwd: folder,
    env: { PORT: '0', BCRYPT_COST: '10', DRAIN_DELAY: '0', ...unlimited, ...environment },
    stdio: ['ignore', openSync(join(folder, 'log'), 'a'), 'pipe'],
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let said = '';
  child.stderr?.on('data', chunk => {
    said += chunk;
    const [, port] = /http:\/\/[\d.]+:(\d+)/.exec(said) ?? [];
    if (port !== undefined) resolve(Number(port));
  });
  child.once('exit', () => reject(new Error(`the service ended: ${said}`)));
  return server(child, await promise, performance.now() - before);
}

/** All of a measurement comes from one address. */
const unlimited = { LOGIN_LIMIT_ACCOUNT: '0', LOGIN_LIMIT_SOURCE: '0', NEW_PASSWORD_LIMIT: '0' };

/** What follows `node` in the package's `start`. */
function startCommand(): string[] {
  const root = new URL('../../', import.meta.url);
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  const [, ...words]: string[] = scripts.start.split(' ');
  return words.map(word => (word.startsWith('-') ? word : fileURLToPath(new URL(word, root))));
}

export async function startBare(answers: Readonly<Record<string, FixedAnswer>>): Promise<Server> {
  const before = performance.now();
  const child = fork(new URL('bare.ts', import.meta.url));
  child.send(answers);
  const [port] = await once(child, 'message');
  return server(child, port, performance.now() - before);
}

/** A program of this folder that sends its port when it serves, on a Node with the flags of `npm start`. */
export async function forkServer(program: string, words: readonly string[]): Promise<Server> {
  const before = performance.now();
  const execArgv = startCommand().filter(word => word.startsWith('-'));
  const child = fork(new URL(program, import.meta.url), words, { execArgv });
  const [port] = await once(child, 'message');
  return server(child, port, performance.now() - before);
}

function server(child: ChildProcess, port: number, started: number): Server {
  if (child.pid === undefined) throw new Error('there is no process');
  return { port, pid: child.pid, started, stop: () => end(child) };
}

export interface Loader {
  run(load: Load): Promise<Measured>;
  stop(): Promise<void>;
}

export function startLoader(): Loader {
  const child = fork(new URL('load.ts', import.meta.url), { serialization: 'advanced' });
  child.once('exit', code => {
    if (code) throw new Error('the load generator failed');
  });
  return {
    async run(load) {
      child.send(load);
      const [measured] = await once(child, 'message');
      return measured;
    },
    stop: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** Milliseconds of processor time that a process has used, with all its threads. Linux. */
export function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticks = 10;
  return (Number(fields[11]) + Number(fields[12])) * ticks;
}

/** MB of memory that a process keeps resident. Linux. */
export function resident(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (Number(kilobytes) * 1024) / 1e6;
}
