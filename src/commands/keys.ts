import { type SigningKey, signerAt } from '../auth/key-models.ts';
import { createKeyOperations, type KeyOperations, KeyRefused, maxStaleness } from '../auth/keys.ts';
import { type Command, CommandRefused, type Context, command } from './command.ts';
import { withDatabase } from './database.ts';

const list = command({
  name: 'keys list',
  summary: 'the signing keys and what each is good for',
  run: (_, context) =>
    withKeys(context, async operations => {
      const keys = await operations.list();
      for (const key of keys) context.write(describe(key, keys, context.clock()));
    }),
});

const rotate = command({
  name: 'keys rotate',
  summary: 'add a key; it signs when every cache of the public keys has it',
  run: (_, context) =>
    withKeys(context, async operations => {
      const key = await operations.rotate();
      context.write(`${key.id} is published and signs from ${key.signs_from_at?.toISOString()}`);
    }),
});

const retire = command({
  name: 'keys retire',
  operands: ['KID'],
  summary: 'stop a key from signing; what it signed counts until it expires',
  run: ({ KID }, context) =>
    withKeys(context, async operations => {
      await operations.retire(KID);
      context.write(`${KID} signs no more`);
    }),
});

const revoke = command({
  name: 'keys revoke',
  operands: ['KID'],
  summary:
    'after a theft: all that the key ever signed counts for nothing, on every\n' +
    `node within ${maxStaleness} seconds; restart them to be quicker`,
  run: ({ KID }, context) =>
    withKeys(context, async operations => {
      await operations.revoke(KID);
      context.write(
        `${KID} counts for nothing any more; running nodes follow within ${maxStaleness} seconds`,
      );
    }),
});

export const keyCommands: readonly Command[] = [list, rotate, retire, revoke];

async function withKeys(context: Context, work: (operations: KeyOperations) => Promise<void>): Promise<void> {
  await withDatabase(context, async (database, vault) => {
    const { accessTokenTtl } = context.config();
    try {
      await work(createKeyOperations({ database, vault, clock: context.clock, accessTokenTtl }));
    } catch (error) {
      if (!(error instanceof KeyRefused)) throw error;
      throw new CommandRefused(error.message, { cause: error });
    }
  });
}

function describe(key: SigningKey, keys: readonly SigningKey[], now: Date): string {
  return `${key.id}  ${key.algorithm}  made ${key.created_at.toISOString()}  ${state(key, keys, now)}`;
}

function state(key: SigningKey, keys: readonly SigningKey[], now: Date): string {
  const until = key.verifies_until_at?.toISOString();
  if (signerAt(keys, now) === key) return until ? `signs until ${key.retired_at?.toISOString()}` : 'signs';
  if (key.signs_from_at && key.signs_from_at > now) return `signs from ${key.signs_from_at.toISOString()}`;
  return until ? `verifies until ${until}` : 'verifies';
}
