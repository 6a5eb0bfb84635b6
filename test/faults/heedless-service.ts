/** A service that is broken on purpose: where the database fails to commit, it acknowledges all the same. */
import { DatabaseUnavailable } from '../../src/database.ts';
import { type Work, wrappedDatabase } from '../helpers/wrapped-database.ts';
import { serveWith } from './variant.ts';

await serveWith(database => wrappedDatabase(database, acknowledged));

async function acknowledged<T>(run: (work: Work<T>) => Promise<T>, work: Work<T>): Promise<T> {
  let done: { readonly result: T } | undefined;
  try {
    return await run(async tx => {
      const result = await work(tx);
      done = { result };
      return result;
    });
  } catch (error) {
    if (done && error instanceof DatabaseUnavailable) return done.result;
    throw error;
  }
}
