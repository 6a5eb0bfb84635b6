import type { Kysely, KyselyPlugin } from 'kysely';
import type { Database, Queries, Tables } from '../../src/database.ts';
import { wrappedDatabase } from './wrapped-database.ts';

/** A database that fails where a test says so. */
export interface FaultyDatabase extends Database {
  /** The step with this number, from 1, throws what `failure` makes; the count begins anew. 0: none does. */
  failAt(step: number, failure: () => unknown): void;
  /** The steps since then. The last is a failure after a commit: it was made, and nobody is told. */
  readonly steps: readonly Step[];
}

export type Step = 'read' | 'begin' | 'statement' | 'commit' | 'after the commit';

/** Counts every read, every statement of a transaction, and the beginning, the commit and the end of transactions. */
export function faultyDatabase(database: Database): FaultyDatabase {
  const steps: Step[] = [];
  let fatal = 0;
  let failure: () => unknown = () => undefined;

  function step(kind: Step): void {
    steps.push(kind);
    if (steps.length === fatal) throw failure();
  }

  /** Fails when the statement has been run: within a transaction its effect has to be undone. */
  const failing = (kind: Step): KyselyPlugin => ({
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      step(kind);
      return result;
    },
  });

  const wrapped = wrappedDatabase(database, async (run, work) => {
    step('begin');
    const result = await run(async tx => {
      const done = await work(tx.withPlugin(failing('statement')));
      step('commit');
      return done;
    });
    step('after the commit');
    return result;
  });
  return {
    ...wrapped,
    db: buildable(database.db).withPlugin(failing('read')),
    async ping() {
      step('read');
      await database.ping();
    },
    failAt(number, made) {
      steps.length = 0;
      fatal = number;
      failure = made;
    },
    steps,
  };
}

/** What offers reads alone is a whole Kysely underneath. */
export function buildable(db: Queries): Kysely<Tables> {
  if (!('withPlugin' in db)) throw new TypeError('no Kysely');
  return db as Kysely<Tables>;
}
