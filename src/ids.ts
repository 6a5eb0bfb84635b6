import { randomUUIDv7 } from 'node:crypto';

/** UUIDv7 (RFC 9562): ordered by time, so that new rows stand together; 74 random bits, so that none can be guessed. */
export function newId(): string {
  return randomUUIDv7();
}
