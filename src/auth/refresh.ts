import type { Clock } from '../clock.ts';
import type { Database } from '../database.ts';
import { unauthenticated } from '../errors.ts';
import { parseRefreshToken, type RefreshToken } from './refresh-tokens.ts';
import { findFamily } from './session-models.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Issued, IssuePair } from './token-pairs.ts';

/**
 * Throws `invalid_token`. `onReuse` is told when the refresh token has had its time, before that: somebody else may
 * have it, and its session was ended.
 */
export type Refresh = (refreshToken: string, onReuse: OnReuse) => Promise<Issued>;

export type OnReuse = (session: Pick<Session, 'id' | 'user_id'>) => void;

interface RefreshOptions {
  readonly database: Database;
  readonly sessions: Sessions;
  readonly issue: IssuePair;
  readonly clock: Clock;
}

/** Milliseconds for which the token before the current one gives the current one again. */
const grace = 10_000;

/**
 * The current token gives its successor. The one before it gives the same successor again, for ten seconds and only
 * while that has not been used itself, so that a lost answer or a second tab harms nobody. Anything older is in the
 * hands of two, and the session ends for both (RFC 9700, section 4.14.2).
 */
export function createRefresh({ database, sessions, issue, clock }: RefreshOptions): Refresh {
  return async (text, onReuse) => {
    const presented = parseRefreshToken(text);
    if (!presented) throw unauthenticated('invalid_token');
    const now = clock();
    const advanced = await sessions.advance(presented, now);
    if (advanced) return await issue(advanced);
    // It is not the current one, and will never be again: what others do from here on can only make it older.
    const session = await findFamily(database.db, presented.familyHash);
    if (!session || session.refresh_expires_at <= now) throw unauthenticated('invalid_token');
    if (isRepeat(session, presented, now))
      return await issue({ session, refreshToken: presented.successor(session.refresh_nonce) });
    // Whoever ends it tells, of many at once one.
    if (await sessions.logout(session.user_id, session.id)) onReuse(session);
    throw unauthenticated('invalid_token');
  };
}

/** A clock that was set back makes the time longer, never the end of a session that nobody misused. */
function isRepeat(
  session: Session,
  presented: RefreshToken,
  now: Date,
): session is Session & { refresh_nonce: string; refreshed_at: Date } {
  const { previous_refresh_hash, refresh_nonce, refreshed_at } = session;
  return (
    presented.hash === previous_refresh_hash &&
    refresh_nonce !== null &&
    refreshed_at !== null &&
    now.getTime() - refreshed_at.getTime() <= grace
  );
}
