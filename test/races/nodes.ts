import type { TestContext } from 'node:test';
import { createKeyOperations } from '../../src/auth/keys.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { createVault } from '../../src/vault.ts';
import type { World } from '../../src/world.ts';
import { startApp, type TestApp, testSecret, unlimited } from '../helpers/app.ts';
import { newDatabase } from '../helpers/database.ts';
import { StandingTime } from '../helpers/nodes.ts';
import type { Racers } from './player.ts';
import { remembering } from './remembering.ts';

/** All come from one source, which would have had enough of them. */
const settings = { LOG_LEVEL: 'fatal', ...unlimited };

/** How the third node is broken on purpose. */
export type Plant = (world: Pick<World, 'database' | 'monotonic'>) => Pick<World, 'database' | 'monotonic'>;

/** Three services on one database, each with connections of its own. They share it and the time, and nothing in memory. */
export async function startRacers(
  t: TestContext,
  { plant = world => world }: { readonly plant?: Plant } = {},
): Promise<Racers> {
  const time = new StandingTime();
  const url = await newDatabase(t);
  const engine = await createBcryptEngine({ threads: 1, log: () => undefined });
  const databases: Database[] = [];
  const nodes: TestApp[] = [];
  for (const broken of [false, false, true]) {
    const database = await openDatabase(url);
    databases.push(database);
    const sound = { database, monotonic: time.monotonic };
    const world = broken ? plant(sound) : sound;
    nodes.push(await startApp(t, { ...world, engine, clock: time.clock(), settings }));
  }
  const vault = createVault(testSecret);
  const operators = databases.map(database =>
    createKeyOperations({ database, vault, clock: time.clock(), accessTokenTtl: 900 }),
  );
  t.after(async () => {
    for (const opened of databases) await opened.close();
    await engine.close();
  });
  return { nodes, operators, time: { clock: time.clock(), turn: time.turn } };
}

/** Remembers what it has once read of a session. */
export const rememberSessions: Plant = world => ({ ...world, database: remembering(world.database) });

/** Never looks at the signing keys again. */
export const keepKeys: Plant = world => ({ ...world, monotonic: () => 0 });
