import type { TestContext } from 'node:test';
import { Client, type Person } from '../helpers/client.ts';
import { serviceFolder } from '../helpers/database.ts';
import { logIn } from '../helpers/nodes.ts';
import { ServiceProcess } from '../helpers/process.ts';
import { Balancer } from './balancer.ts';

interface Options {
  /** In each, all three nodes are replaced, one after the other. */
  readonly rounds: number;
  /** Seconds. */
  readonly drainDelay: number;
  /** Who ask without a pause meanwhile. */
  readonly clients: number;
}

export interface Rolled {
  readonly requests: number;
  /** What was not answered as it should have been. */
  readonly failed: readonly string[];
  readonly exitCodes: readonly (number | null)[];
  /** Milliseconds from the signal to the end of the process. */
  readonly stops: readonly number[];
}

/** Replaces three nodes behind a balancer, again and again, while clients read, write, refresh and log in through it. */
export async function rollNodes(t: TestContext, { rounds, drainDelay, clients }: Options): Promise<Rolled> {
  const folder = await serviceFolder(t);
  const settings = {
    NODE_ENV: 'test',
    BCRYPT_COST: '4',
    LOG_LEVEL: 'warn',
    DRAIN_DELAY: String(drainDelay),
  };
  const balancer = new Balancer();
  const through = await balancer.start();
  t.after(() => balancer.stop());
  const start = async (): Promise<{ process: ServiceProcess; url: string }> => {
    const process = new ServiceProcess(t, folder, settings);
    const { url } = await process.client();
    await balancer.add(url);
    return { process, url };
  };
  // The first makes the database.
  const nodes = [await start(), ...(await Promise.all([start(), start()]))];

  const failed: string[] = [];
  let requests = 0;
  let rolling = true;
  const arrive = async (): Promise<() => Promise<void>> => {
    const one = new Client(through);
    const person = await one.register();
    one.onAnswer = (method, path, { status, text }) => {
      requests++;
      if (status >= 300) failed.push(`${method} ${path}: ${status} ${text.slice(0, 200)}`);
    };
    return async () => {
      while (rolling) await visit(one, person);
    };
  };
  const arrived = await Promise.all(Array.from({ length: clients }, arrive));
  const load = Promise.all(arrived.map(stay => stay()));

  const exitCodes: (number | null)[] = [];
  const stops: number[] = [];
  const stop = async (process: ServiceProcess): Promise<void> => {
    const began = performance.now();
    const { code } = await process.stop('SIGTERM');
    stops.push(performance.now() - began);
    exitCodes.push(code);
  };
  for (let round = 0; round < rounds; round++) {
    for (const [at, old] of nodes.entries()) {
      const [fresh] = await Promise.all([start(), stop(old.process)]);
      balancer.remove(old.url);
      nodes[at] = fresh;
    }
  }
  rolling = false;
  await load;
  return { requests, failed, exitCodes, stops };
}

async function visit(client: Client, person: Person): Promise<void> {
  const tokens = await logIn(client, person).catch(() => undefined);
  if (!tokens) return;
  const token = tokens.access_token;
  for (let i = 0; i < 5; i++) await client.get('/me', { token });
  await client.request('PATCH', '/me', { token, json: { name: 'Ada' } });
  await client.post('/refresh', { refresh_token: tokens.refresh_token });
  await client.post('/logout', undefined, { token });
}
