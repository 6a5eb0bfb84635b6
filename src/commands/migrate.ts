import { command } from './command.ts';
import { withDatabase } from './database.ts';

export const migrate = command({
  name: 'migrate',
  summary:
    'make the database, or bring its schema up to date, and stop; for MIGRATE=off,\n' +
    'with a DATABASE_URL whose user may change the schema',
  run: (_, context) =>
    withDatabase(
      context,
      async () => context.write('the database is what this program expects'),
      'made or migrated',
    ),
});
