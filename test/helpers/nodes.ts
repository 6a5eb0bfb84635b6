import type { TestContext } from 'node:test';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import { type Database, openDatabase } from '../../src/database.ts';
import { type Overrides, startApp, type TestApp } from './app.ts';
import type { Answer, Client } from './client.ts';
import { newDatabase } from './database.ts';

/** Time that stands still until a test turns it. */
export class StandingTime {
  #now = Date.parse('2026-03-01T12:00:00.000Z');
  /** The wall clock of a node that differs by some seconds. */
  readonly clock =
    (skew = 0) =>
    () =>
      new Date(this.#now + skew * 1000);
  /** Milliseconds. */
  readonly monotonic = () => this.#now;
  readonly turn = (seconds: number) => {
    this.#now += Math.round(seconds * 1000);
  };
}

export interface Nodes {
  readonly a: TestApp;
  readonly b: TestApp;
  readonly time: StandingTime;
  /** Of the database. */
  readonly url: string;
  /** For whoever is no node: a third opening of it. */
  readonly database: Database;
}

export interface NodeOptions extends Pick<Overrides, 'settings' | 'engine'> {
  /** Seconds by which the clock of `b` is ahead. */
  readonly skew?: number;
}

/** Two services on one database. They share it and the time, and nothing in memory. */
export async function startNodes(t: TestContext, options: NodeOptions = {}): Promise<Nodes> {
  const { settings = {}, skew = 0 } = options;
  const time = new StandingTime();
  const url = await newDatabase(t);
  const databases = [await openDatabase(url), await openDatabase(url), await openDatabase(url)];
  const engine = options.engine ?? (await createBcryptEngine({ threads: 1, log: () => undefined }));
  const [a, b, rest] = databases;
  if (!a || !b || !rest) throw new Error('three were opened');
  const node = (database: Database, ahead: number): Promise<TestApp> =>
    startApp(t, { settings, database, engine, clock: time.clock(ahead), monotonic: time.monotonic });
  const nodes = { a: await node(a, 0), b: await node(b, skew), time, url, database: rest };
  t.after(async () => {
    for (const database of databases) await database.close();
    if (!options.engine) await engine.close();
  });
  return nodes;
}

/** The answer to a login. */
export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly refresh_expires_in: number;
}

export async function logIn(
  client: Client,
  { email, password }: { readonly email: string; readonly password: string },
  headers: Readonly<Record<string, string>> = {},
): Promise<Tokens> {
  const { status, text, body } = await client.post('/login', { email, password }, { headers });
  if (status !== 200) throw new Error(`the login was answered with ${status}: ${text}`);
  return body;
}

export async function refresh(client: Client, token: string): Promise<Answer> {
  return await client.post('/refresh', { refresh_token: token });
}

/** What `GET /me` says of a token: 200 or 401. */
export async function me(client: Client, token: string): Promise<number> {
  return (await client.get('/me', { token })).status;
}

/** The `sid` of an access token. */
export function sessionOf({ access_token }: Pick<Tokens, 'access_token'>): string {
  const [, claims = ''] = access_token.split('.');
  return JSON.parse(Buffer.from(claims, 'base64url').toString()).sid;
}
