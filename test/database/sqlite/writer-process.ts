/**
 * A process to be killed: `writer-process.ts PATH honest|early PREFIX` registers people from 16 sides until it dies and
 * writes a line for each one that is acknowledged; `early` is the broken variant that says so beforehand.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { openDatabase } from '../../../src/database.ts';
import { user } from '../support.ts';

const [path, mode, prefix] = process.argv.slice(2);
const database = await openDatabase(`sqlite:${path}`);
await Promise.all(
  Array.from({ length: 16 }, async (_, me) => {
    for (let n = 0; ; n++) {
      const name = `${prefix}-${me}-${n}`;
      if (mode === 'early') {
        process.stdout.write(`${name}\n`);
        await delay(5);
      }
      // A page of text each, so that the log is copied back again and again meanwhile.
      const row = { ...user(name), name: 'x'.repeat(4000) };
      await database.transaction(tx => tx.insertInto('users').values(row).execute());
      if (mode === 'honest') process.stdout.write(`${name}\n`);
    }
  }),
);
