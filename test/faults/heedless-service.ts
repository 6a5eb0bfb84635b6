/** A service that is broken on purpose: where the database fails to commit, it acknowledges all the same. */
import { DatabaseUnavailable } from '../../src/database.ts';
import { serveWith } from './variant.ts';

await serveWith(database => ({
  db: database.db,
  ping: () => database.ping(),
  close: () => database.close(),
  async transaction<T>(work: Parameters<typeof database.transaction<T>>[0]): Promise<T> {
    let done: { readonly result: T } | undefined;
    try {
      return await database.transaction(async tx => {
        const result = await work(tx);
        done = { result };
        return result;
      });
    } catch (error) {
      if (done && error instanceof DatabaseUnavailable) return done.result;
      throw error;
    }
  },
}));
