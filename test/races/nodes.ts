import type { TestContext } from 'node:test';
import type { ReadonlyCompiledQuery } from 'kysely/readonly';
import { createKeyOperations, type KeyOperations } from '../../src/auth/keys.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { createVault } from '../../src/vault.ts';
import type { World } from '../../src/world.ts';
import { startApp, type TestApp, testSecret } from '../helpers/app.ts';
import { newDatabase } from '../helpers/database.ts';
import { StandingTime } from '../helpers/nodes.ts';

export interface Racers {
  readonly nodes: readonly TestApp[];
  readonly time: StandingTime;
  /** What an operator does beside them. */
  readonly keys: KeyOperations;
}

/** All come from one source, which would have had enough of them. */
const settings = {
  LOG_LEVEL: 'fatal',
  LOGIN_LIMIT_ACCOUNT: '0',
  LOGIN_LIMIT_SOURCE: '0',
  NEW_PASSWORD_LIMIT: '0',
};

/** How the third node is broken on purpose. */
export type Plant = (world: Pick<World, 'database' | 'monotonic'>) => Pick<World, 'database' | 'monotonic'>;

/** Three services on one database, each with connections of its own. They share it and the time, and nothing in memory. */
export async function startRacers(
  t: TestContext,
  { plant = world => world, url }: { readonly plant?: Plant; readonly url?: string } = {},
): Promise<Racers> {
  const time = new StandingTime();
  const place = url ?? (await newDatabase(t));
  const engine = await createBcryptEngine({ threads: 1, log: () => undefined });
  const databases: Database[] = [];
  const nodes: TestApp[] = [];
  for (const broken of [false, false, true]) {
    const database = await openDatabase(place);
    databases.push(database);
    const sound = { database, monotonic: time.monotonic };
    const world = broken ? plant(sound) : sound;
    nodes.push(await startApp(t, { ...world, engine, clock: time.clock(), settings }));
  }
  const [database] = databases;
  if (!database) throw new Error('three were opened');
  const vault = createVault(testSecret);
  const keys = createKeyOperations({ database, vault, clock: time.clock(), accessTokenTtl: 900 });
  t.after(async () => {
    for (const opened of databases) await opened.close();
    await engine.close();
  });
  return { nodes, time, keys };
}

/** Remembers what it has once read of a session, as a node must not. */
export const rememberReads: Plant = world => {
  const { db } = world.database;
  const remembered = new Map<string, Promise<unknown>>();
  const executeQuery: typeof db.executeQuery = async <R>(query: ReadonlyCompiledQuery<R>) => {
    if (!query.sql.includes('"sessions"')) return await db.executeQuery(query);
    const key = JSON.stringify([query.sql, query.parameters.filter(value => !(value instanceof Date))]);
    const asked = (remembered.get(key) as ReturnType<typeof db.executeQuery<R>>) ?? db.executeQuery(query);
    remembered.set(key, asked);
    return await asked;
  };
  const remembering = over(db, { executeQuery, together: undefined });
  return { ...world, database: over(world.database, { db: remembering }) };
};

/** Never looks at the signing keys again. */
export const keepKeys: Plant = world => ({ ...world, monotonic: () => 0 });

/** An object with something in the place of some of its properties. */
function over<Target extends object>(
  target: Target,
  other: { [Name in keyof Target]?: Target[Name] | undefined },
): Target {
  return new Proxy(target, {
    get(_, name) {
      if (name in other) return Reflect.get(other, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
