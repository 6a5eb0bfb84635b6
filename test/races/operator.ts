/** An operator's program that goes on: does with the signing keys what its parent says, with a database of its own. */
import { createKeyOperations, KeyRefused } from '../../src/auth/keys.ts';
import { systemClock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/database.ts';
import { createVault } from '../../src/vault.ts';
import type { Order, Report } from './processes.ts';

const { databaseUrl, secret, accessTokenTtl } = readConfig(process.env);
const database = await openDatabase(databaseUrl);
const vault = createVault(secret ?? new Uint8Array());
const keys = createKeyOperations({ database, vault, clock: systemClock, accessTokenTtl });

process.on('message', async ({ verb, kid }: Order) => {
  let report: Report;
  try {
    report = { done: await keys[verb](kid) };
  } catch (error) {
    report = error instanceof KeyRefused ? { refused: error.message } : { failed: String(error) };
  }
  process.send?.(report);
});
process.once('disconnect', () => process.exit());
process.send?.({ done: undefined } satisfies Report);
