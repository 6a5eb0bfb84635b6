/** A service that is broken on purpose: it acknowledges first and commits a little later. */
import { setTimeout as pause } from 'node:timers/promises';
import { serveWith } from './variant.ts';

await serveWith(database => ({
  db: database.db,
  ping: () => database.ping(),
  close: () => database.close(),
  transaction: work =>
    new Promise((resolve, reject) => {
      const committed = database.transaction(async tx => {
        const result = await work(tx);
        resolve(result);
        await pause(20);
        return result;
      });
      committed.catch(reject);
    }),
}));
