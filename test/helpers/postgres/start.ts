import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface PostgresServer {
  /** Of the database "postgres", as the superuser. */
  readonly url: string;
  /** On the same port as before. */
  start(): Promise<void>;
  /** Orderly, without waiting for clients. */
  stop(): Promise<void>;
  /** As if it had crashed: what was committed is found again by the next start. */
  crash(): Promise<void>;
  /** The URL of a server that follows this one from now on, with all its settings. `from`: this one, or a way to it. */
  standby(from: string): Promise<string>;
  /** Stops the server if it runs, and makes a primary of its standby, which is what all of these are about from now on. */
  promote(): Promise<void>;
  /** Leaves nothing behind. The end of this process, however it comes, does the same. */
  end(): Promise<void>;
}

/** A PostgreSQL server of one's own, in about two seconds. `settings`: `NAME=VALUE`, as in `postgresql.conf`. */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const keeper = spawn(
    process.execPath,
    [fileURLToPath(new URL('./keeper.ts', import.meta.url)), ...settings],
    // In a group of its own, out of reach of a Ctrl-C: it ends when its input does.
    { detached: true, windowsHide: true, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const closed = once(keeper, 'close');
  const lines = createInterface({ input: keeper.stdout })[Symbol.asyncIterator]();
  const keepAlive = (alive: boolean): void => {
    for (const handle of [keeper, keeper.stdin, keeper.stdout] as Partial<ChildProcess>[])
      alive ? handle.ref?.() : handle.unref?.();
  };
  const answer = async (): Promise<string> => {
    keepAlive(true);
    const { done, value } = await lines.next();
    keepAlive(false);
    if (done) throw new Error('the PostgreSQL server for tests could not be started, or has ended');
    return value;
  };
  const ask = async (request: string): Promise<string> => {
    keeper.stdin.write(`${request}\n`);
    return await answer();
  };
  const command = (request: string) => async () => void (await ask(request));
  return {
    url: await answer(),
    start: command('start'),
    stop: command('stop'),
    crash: command('crash'),
    standby: from => ask(`standby ${from}`),
    promote: command('promote'),
    end: async () => {
      keepAlive(true);
      keeper.stdin.end();
      await closed;
    },
  };
}
