/** A service that is broken on purpose: it does not know the refresh token before the current one. */
import { wrappedDatabase } from '../helpers/wrapped-database.ts';
import { serveWith } from './variant.ts';

await serveWith(database =>
  wrappedDatabase(database, (run, work) =>
    run(async tx => {
      const result = await work(tx);
      await tx.updateTable('sessions').set({ previous_refresh_hash: null }).execute();
      return result;
    }),
  ),
);
