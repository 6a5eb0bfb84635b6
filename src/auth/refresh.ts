import type { Clock } from '../clock.ts';
import type { Database, Transaction } from '../database.ts';
import { unauthenticated } from '../errors.ts';
import { parseRefreshToken, type RefreshToken } from './refresh-tokens.ts';
import { deleteSession, lockFamily } from './session-models.ts';
import type { Opened, Session, Sessions } from './sessions.ts';
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
    const outcome = await database.transaction(tx => judge(tx, presented, now));
    if (outcome && 'opened' in outcome) return await issue(outcome.opened);
    if (outcome) onReuse(outcome.ended);
    throw unauthenticated('invalid_token');
  };
}

/** What becomes of a token that was not the current one of a live session. */
async function judge(tx: Transaction, presented: RefreshToken, now: Date): Promise<Outcome | undefined> {
  const session = await lockFamily(tx, presented.familyHash);
  if (!session || session.refresh_expires_at <= now) return undefined;
  if (isRepeat(session, presented, now)) {
    return { opened: { session, refreshToken: presented.successor(session.refresh_nonce) } };
  }
  await deleteSession(tx, session.user_id, session.id);
  return { ended: session };
}

type Outcome = { readonly opened: Opened } | { readonly ended: Session };

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
