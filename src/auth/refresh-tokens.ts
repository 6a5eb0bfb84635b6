import { createHash, randomBytes } from 'node:crypto';

/**
 * A refresh token is 16 bytes that all tokens of a session share and 32 bytes of its own, all random; 64 characters of
 * base64url. The database has only hashes of both: the first finds the session, so that a token that was ours once can
 * be told from one that never was; the second says whether it is the current one. See docs/decisions/refresh-tokens.md.
 */
export interface RefreshToken {
  readonly token: string;
  readonly familyHash: string;
  readonly hash: string;
}

export function newRefreshToken(): RefreshToken {
  const family = randomBytes(16);
  const own = randomBytes(32);
  return {
    token: Buffer.concat([family, own]).toString('base64url'),
    familyHash: sha256(family),
    hash: sha256(own),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}
