/** A service that is broken on purpose: it does not know the refresh token before the current one. */
import { serveWith } from './variant.ts';

await serveWith(database => ({
  db: database.db,
  ping: () => database.ping(),
  close: () => database.close(),
  transaction: work =>
    database.transaction(async tx => {
      const result = await work(tx);
      await tx.updateTable('sessions').set({ previous_refresh_hash: null }).execute();
      return result;
    }),
}));
