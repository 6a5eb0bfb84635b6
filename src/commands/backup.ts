import { existsSync, statSync } from 'node:fs';
import { backUpSqlite } from '../database/sqlite/backup.ts';
import { fileOfSecret } from '../secret.ts';
import { CommandRefused, command } from './command.ts';
import { copying, databaseFile, listed } from './sqlite.ts';

export const backup = command({
  name: 'backup',
  operands: ['FILE'],
  switches: { force: 'take the place of a file that is there' },
  summary: 'write the database as it is at this moment to a file, beside a service that runs\n(SQLite)',
  async run({ FILE, force }, { config, terminal, write }) {
    const { databaseUrl, secret } = config();
    const path = databaseFile(databaseUrl, `of PostgreSQL, pg_dump --format=custom --file=${FILE} makes one`);
    if (existsSync(FILE) && !force)
      throw new CommandRefused(`${FILE} is there already; --force lets the backup take its place`);
    const contents = await copying(terminal, options =>
      backUpSqlite(path, FILE, { ...options, overwrite: force }),
    );
    write(`${FILE}: ${listed(contents)}; ${statSync(FILE).size} bytes, checked`);
    const place = secret ? 'the value of SECRET' : fileOfSecret(databaseUrl);
    write(`The secret is not in it, and it is of no use without: keep ${place} too, in another place.`);
  },
});
