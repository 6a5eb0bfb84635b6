/** A service that is broken on purpose: it acknowledges first and commits a little later. */
import { setTimeout as pause } from 'node:timers/promises';
import { wrappedDatabase } from '../helpers/wrapped-database.ts';
import { serveWith } from './variant.ts';

await serveWith(database =>
  wrappedDatabase(
    database,
    (run, work) =>
      new Promise((resolve, reject) => {
        const committed = run(async tx => {
          const result = await work(tx);
          resolve(result);
          await pause(20);
          return result;
        });
        committed.catch(reject);
      }),
  ),
);
