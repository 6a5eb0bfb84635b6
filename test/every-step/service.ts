import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../../src/app.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { startApp } from '../helpers/app.ts';
import { Client, type Person } from '../helpers/client.ts';
import { expectConformance } from '../helpers/conformance.ts';
import { newDatabase } from '../helpers/database.ts';
import { type FaultyDatabase, faultyDatabase, type Step } from '../helpers/faulty-database.ts';
import { type FaultyEngine, faultyEngine } from '../helpers/faulty-engine.ts';
import { type Scenario, visit } from './scenarios.ts';
import { changesBetween, type State, stateReader } from './state.ts';

/** A service whose database and hashing engine fail where a test says so. */
export interface FragileService {
  readonly app: FastifyInstance;
  readonly client: Client;
  readonly database: FaultyDatabase;
  readonly engine: FaultyEngine;
  /** The database itself, which does not fail. */
  readonly sound: Database;
  readonly state: () => Promise<State>;
  /** Somebody who has to be served after every failure. */
  readonly bystander: Person & { readonly token: string };
}

/** `plant`: adds routes of the test's own. */
export async function startFragileService(
  t: TestContext,
  plant?: (app: FastifyInstance, database: Database) => void,
): Promise<FragileService> {
  // It needs not survive a loss of power.
  const sound = await openDatabase(await newDatabase(t), { sync: async () => undefined });
  const database = faultyDatabase(sound);
  const hashing = await createBcryptEngine({ threads: 1, log: () => undefined });
  const engine = faultyEngine(hashing);
  t.after(() => sound.close());
  t.after(() => hashing.close());
  let time = 0;
  // The keys in memory are always too old: what a request needs of them is read again each time.
  const monotonic = () => {
    time += 60_000;
    return time;
  };
  // No two moments are the same, so that a time that is written is seen to change.
  let moments = 0;
  const clock = () => new Date(Date.UTC(2026, 2, 1) + ++moments);
  const settings = {
    LOG_LEVEL: 'fatal',
    // Counted as ever, and far away: all of this happens within seconds.
    LOGIN_LIMIT_ACCOUNT: '1000',
    LOGIN_LIMIT_SOURCE: '1000',
    NEW_PASSWORD_LIMIT: '1000',
  };
  const { world } = await startApp(t, { database, engine, monotonic, clock, settings });
  const app = await buildApp(world);
  plant?.(app, database);
  t.after(() => app.close());
  const client = new Client(await app.listen({ port: 0, host: '127.0.0.1' }));
  if (!plant) expectConformance(client, () => app.swagger());
  const [state, bystander] = [await stateReader(sound), await client.person()];
  return { app, client, database, engine, sound, state, bystander };
}

export interface Outcome {
  readonly status: number;
  /** What was changed, see `changesBetween`. */
  readonly changes: readonly string[];
  /** Of the database, until the answer. */
  readonly steps: readonly Step[];
  /** Of the hashing engine. */
  readonly digests: number;
}

/** Asks once, as somebody new, with whatever is set to fail by `arm`. */
export async function attempt(
  { client, sound, state, database, engine, bystander }: FragileService,
  route: string,
  { ask }: Scenario,
  arm: () => void,
): Promise<Outcome> {
  const visitor = await visit(client);
  const { path = route.split(' ')[1] ?? '', ...options } = await ask(visitor);
  const before = await state();
  arm();
  const { status, headers } = await client.request(route.split(' ')[0] ?? '', path, options);
  const changes = changesBetween(before, await state());
  const outcome = { status, changes, steps: [...database.steps], digests: engine.digests() };
  database.failAt(0, nothing);
  engine.failAt(0, nothing);
  if (status === 503 && !path.startsWith('/health')) assert.ok(headers.has('retry-after'));

  // Whatever happened, the next one is served: nothing is left open, held or waiting.
  const next = await client.request('PATCH', '/me', { token: bystander.token, json: { name: 'Bob' } });
  assert.equal(next.status, 200, `the request after a failure of ${route}`);
  await sound.transaction(tx => tx.deleteFrom('users').where('id', '!=', bystander.id).execute());
  return outcome;
}

const nothing = () => undefined;
