import { prepared, type Queries } from '../database.ts';
import type { User } from '../users/models.ts';

/** A row of `sessions`: one login on one device. */
export interface SessionsTable {
  /** UUIDv7; the `sid` of its access tokens. */
  id: string;
  user_id: string;
  created_at: Date;
  last_used_at: Date;
  /** The absolute end; refreshing never moves it. */
  expires_at: Date;
  /** The idle end; refreshing moves it, never past the absolute one: a session is live until here. */
  refresh_expires_at: Date;
  /** SHA-256, base64url, of what all refresh tokens of this session have in common; unique. */
  refresh_family_hash: string;
  /** SHA-256, base64url, of what only the current refresh token has. */
  refresh_hash: string;
  /** The same of the token before it; null until the first refresh. */
  previous_refresh_hash: string | null;
  /** What made the current token of the one before it. */
  refresh_nonce: string | null;
  /** When that was. */
  refreshed_at: Date | null;
  user_agent: string | null;
  ip: string | null;
}

/** A row of `signing_keys`. */
export interface SigningKeysTable {
  /** The `kid`: the JWK thumbprint (RFC 7638). */
  id: string;
  algorithm: string;
  /** JSON. */
  public_jwk: string;
  /** The private JWK, sealed by the vault. */
  private_encrypted: string;
  created_at: Date;
  /** Signs from then on, when everybody has heard of it; null: from the beginning. */
  signs_from_at: Date | null;
  /** Signs nothing from then on. */
  retired_at: Date | null;
  /** Its last token has expired by then; published until then. */
  verifies_until_at: Date | null;
}

/** Who is asking, and by which session. */
export interface Identity {
  readonly user: User;
  readonly session: Pick<SessionsTable, 'id' | 'last_used_at'>;
}

const identity = prepared({ sid: 'id', sub: 'id', now: 'time' }, (db: Queries, { sid, sub, now }) =>
  db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .where('sessions.id', '=', sid)
    .where('users.id', '=', sub)
    .where('sessions.refresh_expires_at', '>', now)
    .select(['users.email', 'users.name', 'users.created_at', 'users.updated_at', 'sessions.last_used_at']),
);

/** Read for every request that carries a token, so that an ended session or a deleted person counts at once. */
export async function findIdentity(
  db: Queries,
  { sid, sub, now }: { sid: string; sub: string; now: Date },
): Promise<Identity | undefined> {
  const [row] = await identity(db, { sid, sub, now });
  if (!row) return undefined;
  const { email, name, created_at, updated_at, last_used_at } = row;
  return {
    user: { id: sub, email, name, created_at, updated_at },
    session: { id: sid, last_used_at },
  };
}
