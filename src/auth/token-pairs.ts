import type { Clock } from '../clock.ts';
import type { Opened, Session } from './sessions.ts';
import type { AccessTokens } from './tokens.ts';

/** RFC 6749, section 5.1. Lifetimes in seconds. */
export interface TokenPair {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly refresh_expires_in: number;
}

/** What a client gets for a session that was opened or refreshed, and which session that is. */
export interface Issued {
  readonly session: Pick<Session, 'id' | 'user_id'>;
  readonly tokens: TokenPair;
}

export type IssuePair = (opened: Opened) => Promise<Issued>;

export function createTokenPairs(tokens: AccessTokens, clock: Clock): IssuePair {
  return async ({ session, refreshToken }) => {
    const { token, expiresIn } = await tokens.issue(session);
    const idle = session.refresh_expires_at.getTime() - clock().getTime();
    const pair = {
      access_token: token,
      token_type: 'bearer',
      expires_in: expiresIn,
      refresh_token: refreshToken.token,
      refresh_expires_in: Math.max(0, Math.ceil(idle / 1000)),
    } as const;
    return { session, tokens: pair };
  };
}
