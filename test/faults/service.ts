import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '../helpers/client.ts';
import { ServiceProcess, type Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';

/** A folder that goes with the experiment. */
export function folderOf(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-faults-'));
  scope.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Cheap hashes, people told apart by the address that a proxy would give, and no limit on their sessions. */
const settings = {
  NODE_ENV: 'test',
  BCRYPT_COST: '4',
  HASH_THREADS: '1',
  LOG_LEVEL: 'warn',
  MAX_SESSIONS: '1000',
  TRUSTED_PROXIES: '127.0.0.1',
};

/** Makes known that it is the test's: never the secret of anything else. */
const secret = 'MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY';

/** A service that is killed and started again. */
export class Node {
  /** Milliseconds from the start of the process to the first answer that it is ready. */
  readonly starts: number[] = [];
  readonly #scope: Scope;
  readonly #folder: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #start: Start;
  #process: ServiceProcess | undefined;
  #client: Client | undefined;

  constructor(scope: Scope, folder: string, database: string | undefined, start: Start = {}) {
    this.#scope = scope;
    this.#folder = folder;
    this.#settings = {
      ...settings,
      ...(database !== undefined && { DATABASE_URL: database, SECRET: secret }),
    };
    this.#start = start;
  }

  get client(): Client {
    if (!this.#client) throw new Error('the service does not run');
    return this.#client;
  }

  get process(): ServiceProcess {
    if (!this.#process) throw new Error('the service does not run');
    return this.#process;
  }

  async start(): Promise<void> {
    const begun = performance.now();
    this.#process = new ServiceProcess(this.#scope, this.#folder, this.#settings, this.#start);
    this.#client = await this.#process.client();
    while ((await this.#client.get('/health/ready')).status !== 200);
    this.starts.push(performance.now() - begun);
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#client = undefined;
  }

  async stop(): Promise<number | null> {
    return (await this.process.stop()).code;
  }
}
