import { restoreSqlite } from '../database/sqlite/restore.ts';
import { holdsData } from '../database/sqlite/takeover.ts';
import { DatabaseRefused } from '../database.ts';
import { checkSecret } from '../instance.ts';
import { existingSecret } from '../secret.ts';
import { createVault } from '../vault.ts';
import { CommandRefused, command } from './command.ts';
import { copying, databaseFile, listed } from './sqlite.ts';

export const restore = command({
  name: 'restore',
  operands: ['FILE'],
  switches: { force: 'where there is a database: keep it beside, under another name' },
  summary: 'make a backup the database again, while no service runs (SQLite)',
  async run({ FILE, force }, { config, clock, terminal, write }) {
    const { databaseUrl, secret, previousSecret } = config();
    const path = databaseFile(databaseUrl, 'of PostgreSQL, pg_restore does it');
    if (holdsData(path) && !force) {
      throw new CommandRefused(
        `there is a database already, ${path}; --force keeps it beside, under another name`,
      );
    }
    const vault = createVault(secret ?? existingSecret(databaseUrl), previousSecret);
    const accept = (facts: ReadonlyMap<string, string>) => checkSecret(facts, vault);
    const keepAs = `${path}.until-${clock().toISOString().replaceAll(':', '')}`;
    try {
      const { contents, kept } = await copying(terminal, options =>
        restoreSqlite(FILE, path, { ...options, accept, ...(force && { keepAs }) }),
      );
      write(`${path}: ${listed(contents)}; checked`);
      if (kept) write(`What was there before is ${keepAs} now.`);
    } catch (error) {
      if (!(error instanceof DatabaseRefused)) throw error;
      throw new CommandRefused(error.message, { cause: error });
    }
  },
});
