import { createHash, createHmac, randomBytes } from 'node:crypto';

/**
 * A refresh token is 16 random bytes that all tokens of a session share and 32 bytes of its own; 64 characters of
 * base64url. The database has only hashes of both: the first finds the session, so that a token that was ours once can
 * be told from one that never was; the second says which of the session's tokens it is. See
 * docs/decisions/refresh-tokens.md.
 */
export interface RefreshToken {
  readonly token: string;
  readonly familyHash: string;
  readonly hash: string;
  /**
   * The token after this one. Whoever has this token and the nonce, which the database keeps, gets the same successor
   * again; whoever has only one of them gets nothing. `nonce`: base64url, from `newNonce`.
   */
  successor(nonce: string): RefreshToken;
}

const familyBytes = 16;
const ownBytes = 32;

export function newRefreshToken(): RefreshToken {
  return assemble(randomBytes(familyBytes), randomBytes(ownBytes));
}

/** Undefined for what cannot be one, by its form. */
export function parseRefreshToken(token: string): RefreshToken | undefined {
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== familyBytes + ownBytes || bytes.toString('base64url') !== token) return undefined;
  return assemble(bytes.subarray(0, familyBytes), bytes.subarray(familyBytes));
}

/** 256 random bits. */
export function newNonce(): string {
  return randomBytes(ownBytes).toString('base64url');
}

function assemble(family: Uint8Array, own: Uint8Array): RefreshToken {
  return {
    token: Buffer.concat([family, own]).toString('base64url'),
    familyHash: sha256(family),
    hash: sha256(own),
    successor: nonce => assemble(family, createHmac('sha256', own).update(nonce).digest()),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}
