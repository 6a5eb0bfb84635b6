import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Installed, superuser } from './install.ts';

/** Durability is not what is tested, and what does not speak of it should not wait for a disk. */
const settings = [
  'listen_addresses=127.0.0.1',
  'max_connections=400',
  'fsync=off',
  'full_page_writes=off',
  'wal_level=minimal',
  'max_wal_senders=0',
  'autovacuum=off',
  'jit=off',
  // In the folder, which goes, rather than in the system's shared memory.
  'dynamic_shared_memory_type=mmap',
  // What a program must not rest upon.
  'timezone=Asia/Kathmandu',
  'datestyle=SQL, DMY',
];

export class Server {
  readonly installed: Installed;
  readonly #settings: readonly string[];
  #port = 0;
  #running: ChildProcess | undefined;

  constructor(installed: Installed, more: readonly string[]) {
    this.installed = installed;
    this.#settings = [...settings, ...more];
  }

  /** Of the database "postgres", as the superuser. */
  get url(): string {
    return `postgres://${superuser}:${this.installed.password}@127.0.0.1:${this.#port}/postgres`;
  }

  /** On the port that it had before, if any. Rejects with what the server said. */
  async start(): Promise<void> {
    if (this.#running) return;
    if (this.#port > 0) return await this.#start(this.#port);
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      try {
        await this.#start(port);
        this.#port = port;
        return;
      } catch (error) {
        // Somebody else may have been quicker.
        if (attempt === 5 || !/could not bind/.test(String(error))) throw error;
      }
    }
  }

  /** `SIGINT`: orderly, without waiting for clients. `SIGQUIT`: as if it had crashed. */
  async stop(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const running = this.#running;
    if (!running) return;
    const exit = once(running, 'exit');
    running.kill(signal);
    await exit;
  }

  async #start(port: number): Promise<void> {
    const { postgres, data, folder, as } = this.installed;
    const sockets = process.platform === 'win32' ? '' : folder;
    const all = [...this.#settings, `port=${port}`, `unix_socket_directories=${sockets}`];
    const running = spawn(postgres, ['-D', data, ...all.flatMap(setting => ['-c', setting])], {
      ...as,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#running = running;
    running.once('exit', () => {
      this.#running = undefined;
    });
    let said = '';
    const ready = Promise.withResolvers<void>();
    running.once('error', ready.reject).once('close', () => ready.reject(new Error(said)));
    running.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000);
      if (/ready to accept (read-only )?connections/.test(said)) ready.resolve();
    });
    await ready.promise;
  }
}

/**
 * A port of the loopback address that nobody listens on at this moment. It is below those that systems give to whoever asks
 * for any, or for none: a server that has stopped finds it free when it starts again, whatever other tests do meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const probe = createServer().listen(port, '127.0.0.1');
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
