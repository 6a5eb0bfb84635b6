import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Client } from './client.ts';
import { onPostgres } from './database.ts';
import type { Scope } from './scope.ts';

const root = new URL('../../', import.meta.url).pathname;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Start {
  /** Another program than the service's own, for variants that are broken on purpose. */
  readonly entry?: string;
  /** What starts the program, such as `unshare` with its options. */
  readonly under?: readonly string[];
  /** For Node. */
  readonly flags?: readonly string[];
  /** For the program. */
  readonly words?: readonly string[];
}

/** The service as a process of its own, as `npm start` runs it, in a folder of the caller. */
export class ServiceProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  stdout = '';
  stderr = '';
  readonly #folder: string;
  readonly #closed: Promise<Finished>;

  /**
   * `folder`: where `data/` and `.env` lie. Only `settings` and what a process needs are in its environment; and, because the
   * machine may be busy with other tests, nothing is shed because of that.
   */
  constructor(
    t: Scope,
    folder: string,
    settings: Readonly<Record<string, string>> = {},
    { entry = `${root}bin/start.js`, under = [], flags = [], words = [] }: Start = {},
  ) {
    this.#folder = folder;
    const [command = '', ...rest] = [...under, process.execPath, ...flags, entry, ...words];
    this.child = spawn(command, rest, {
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '',
        PORT: '0',
        BCRYPT_COST: '10',
        DRAIN_DELAY: '0',
        EVENT_LOOP_MAX_DELAY: '60000',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout.setEncoding('utf8').on('data', text => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', text => {
      this.stderr += text;
    });
    this.#closed = once(this.child, 'close').then(([code]) => ({
      code,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
    t.after(() => this.kill());
  }

  /** Resolves when it listens; rejects when it ends before. */
  async client(): Promise<Client> {
    const address = /listens on (\S+)/;
    while (!address.test(this.stderr)) {
      const ended = await Promise.race([once(this.child.stderr, 'data').then(() => undefined), this.#closed]);
      if (ended) throw new Error(`ended with ${ended.code}: ${ended.stderr}`);
    }
    if (onPostgres && existsSync(join(this.#folder, 'data')))
      throw new Error('this is on SQLite: for the engine of the run take a serviceFolder');
    return new Client(address.exec(this.stderr)?.[1] ?? '');
  }

  ended(): Promise<Finished> {
    return this.#closed;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished> {
    this.child.kill(signal);
    return await this.#closed;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.stop('SIGKILL');
  }
}
