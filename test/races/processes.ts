import { fork } from 'node:child_process';
import { once } from 'node:events';
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type KeyOperations, KeyRefused } from '../../src/auth/keys.ts';
import { testSecret, unlimited } from '../helpers/app.ts';
import type { Client } from '../helpers/client.ts';
import { newDatabase } from '../helpers/database.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { ServiceProcess } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import type { Racers } from './player.ts';

/** What an operator is told, and what it says then, once also when it is ready. */
export interface Order {
  readonly verb: keyof KeyOperations;
  readonly kid: string;
}
export interface Report {
  readonly done?: unknown;
  readonly refused?: string;
  readonly failed?: string;
}

interface Options {
  /** Of the database; a new one where it is not given. */
  readonly url?: string;
  /** In the place of the third node. */
  readonly broken?: string;
}

/**
 * Three nodes and three operators on one database, all of them processes of their own. The nodes are started as `npm
 * start` does it, but that their clocks can be turned.
 */
export async function startProcesses(t: Scope, { url, broken }: Options = {}): Promise<Racers> {
  const folder = temporaryFolder(t);
  const turned = join(folder, 'turned');
  const file = openSync(turned, 'w+');
  let ahead = 0;
  const turn = (seconds: number) => {
    ahead += seconds * 1000;
    writeSync(file, new Float64Array([ahead]), 0, 8, 0);
  };
  turn(0);

  const settings = {
    ...{ NODE_ENV: 'test', BCRYPT_COST: '4', HASH_THREADS: '1', LOG_LEVEL: 'fatal', ...unlimited },
    DATABASE_URL: url ?? (await newDatabase(t)),
    SECRET: testSecret.toString('base64url'),
    TURNED_TIME: turned,
  };
  const flags = ['--import', new URL('./turned-time.ts', import.meta.url).href];
  const nodes: Client[] = [];
  for (const entry of [undefined, undefined, broken]) {
    const node = new ServiceProcess(t, folder, settings, { flags, ...(entry !== undefined && { entry }) });
    nodes.push(await node.client());
  }
  // Connections that the races will find open.
  for (const node of nodes) await Promise.all(Array.from({ length: 16 }, () => node.get('/health/live')));
  const operators = await Promise.all([1, 2, 3].map(() => startOperator(t, folder, settings, flags)));
  return { nodes, operators, time: { clock: () => new Date(Date.now() + ahead), turn } };
}

async function startOperator(
  t: Scope,
  folder: string,
  settings: Readonly<Record<string, string>>,
  flags: readonly string[],
): Promise<KeyOperations> {
  const program = fork(fileURLToPath(new URL('./operator.ts', import.meta.url)), {
    ...{ cwd: folder, env: settings, execArgv: [...flags], serialization: 'advanced' },
  });
  t.after(async () => {
    if (!program.connected) return;
    program.disconnect();
    await once(program, 'exit');
  });
  const report = async (): Promise<unknown> => {
    const [{ done, refused, failed }] = (await once(program, 'message')) as [Report];
    if (refused !== undefined) throw new KeyRefused(refused);
    if (failed !== undefined) throw new Error(failed);
    return done;
  };
  const order = async (verb: keyof KeyOperations, kid = ''): Promise<unknown> => {
    const reported = report();
    program.send({ verb, kid } satisfies Order);
    return await reported;
  };
  await report();
  return {
    list: () => order('list') as ReturnType<KeyOperations['list']>,
    rotate: () => order('rotate') as ReturnType<KeyOperations['rotate']>,
    retire: async kid => void (await order('retire', kid)),
    revoke: async kid => void (await order('revoke', kid)),
  };
}
