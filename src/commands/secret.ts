import { resealKeys } from '../auth/keys.ts';
import { reclaimDatabase } from '../instance.ts';
import { command } from './command.ts';
import { withDatabase } from './database.ts';

export const reencrypt = command({
  name: 'secret reencrypt',
  summary: 'after SECRET was changed, with SECRET_PREVIOUS: encrypt everything anew',
  run: (_, context) =>
    withDatabase(context, async (database, vault) => {
      const count = await database.exclusive(async tx => {
        const resealed = await resealKeys(tx, vault);
        await reclaimDatabase(tx, vault);
        return resealed;
      });
      context.write(`${count} keys are encrypted with SECRET now; SECRET_PREVIOUS can go`);
    }),
});
