import type { TestContext } from 'node:test';
import type { BcryptEngine } from '../../src/bcrypt/engine.ts';
import { createBcryptEngine } from '../../src/bcrypt/index.ts';
import type { Answer, Client } from '../helpers/client.ts';
import { onPostgres } from '../helpers/database.ts';

/** The tests' own address is that of a proxy, and says whose requests it passes on. */
export const proxied = { TRUSTED_PROXIES: '127.0.0.1' };
/** Hundreds of attempts are as many commits, which a test of something else need not wait for a disk to keep. */
export const inMemory: Readonly<Record<string, string>> = onPostgres
  ? {}
  : { DATABASE_URL: 'sqlite::memory:' };
export const wrong = 'not the right one';

export interface CountingEngine extends BcryptEngine {
  /** Digests that were asked for: one for each password that is verified. */
  count: number;
}

export async function countingEngine(t: TestContext): Promise<CountingEngine> {
  const inner = await createBcryptEngine({ threads: 1, log: () => undefined });
  t.after(() => inner.close());
  const engine: CountingEngine = {
    description: 'counts',
    count: 0,
    digest(work) {
      engine.count++;
      return inner.digest(work);
    },
    close: () => inner.close(),
  };
  return engine;
}

/** An address of its own for each number. */
export function address(number: number): string {
  return `198.18.${number >> 8}.${number & 255}`;
}

/** A login from an address. */
export async function logInFrom(
  client: Client,
  from: string,
  email: string,
  password: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return await client.post(
    '/login',
    { email, password },
    { headers: { 'x-forwarded-for': from, ...headers } },
  );
}

/** The statuses of logins with a wrong password, one after the other, each from where `from` says. */
export async function failFrom(
  client: Client,
  email: string,
  count: number,
  from: (number: number) => string,
): Promise<number[]> {
  const statuses: number[] = [];
  for (let number = 0; number < count; number++)
    statuses.push((await logInFrom(client, from(number), email, wrong)).status);
  return statuses;
}

/** So many of each status, as `401 x 10, 429 x 140`. */
export function tally(statuses: readonly number[]): string {
  const groups = Map.groupBy(statuses, status => status);
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([status, all]) => `${status} x ${all.length}`)
    .join(', ');
}
