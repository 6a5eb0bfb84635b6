import type { Clock } from '../clock.ts';
import type { Opened } from './sessions.ts';
import type { AccessTokens } from './tokens.ts';

/** RFC 6749, section 5.1. Lifetimes in seconds. */
export interface TokenPair {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly refresh_expires_in: number;
}

/** What a client gets for a session that was opened or refreshed. */
export type IssuePair = (opened: Opened) => Promise<TokenPair>;

export function createTokenPairs(tokens: AccessTokens, clock: Clock): IssuePair {
  return async ({ session, refreshToken }) => ({
    access_token: await tokens.issue(session.user_id, session.id),
    token_type: 'bearer',
    expires_in: tokens.ttl,
    refresh_token: refreshToken.token,
    refresh_expires_in: Math.max(
      0,
      Math.ceil((session.refresh_expires_at.getTime() - clock().getTime()) / 1000),
    ),
  });
}
