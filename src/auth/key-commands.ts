import { type SigningKey, signerAt } from './key-models.ts';
import { type KeyOperations, maxStaleness } from './keys.ts';

type Write = (line: string) => void;

export const keysUsage = `keys list                 the signing keys and what each is good for
keys rotate               add a key; it signs when every cache of the public keys has it
keys retire KID           stop a key from signing; what it signed counts until it expires
keys revoke KID           after a theft: all that the key ever signed counts for nothing, on every
                          node within 30 seconds; restart them to be quicker`;

/** Runs one command; false when there is no such command. Throws `KeyRefused`. */
export async function runKeyCommand(
  [command, kid, ...rest]: readonly string[],
  operations: KeyOperations,
  now: Date,
  write: Write,
): Promise<boolean> {
  if (rest.length > 0) return false;
  if (command === 'list' && kid === undefined) {
    const keys = await operations.list();
    for (const key of keys) write(describe(key, keys, now));
  } else if (command === 'rotate' && kid === undefined) {
    const key = await operations.rotate();
    write(`${key.id} is published and signs from ${key.signs_from_at?.toISOString()}`);
  } else if (command === 'retire' && kid !== undefined) {
    await operations.retire(kid);
    write(`${kid} signs no more`);
  } else if (command === 'revoke' && kid !== undefined) {
    await operations.revoke(kid);
    write(`${kid} counts for nothing any more; running nodes follow within ${maxStaleness} seconds`);
  } else {
    return false;
  }
  return true;
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
