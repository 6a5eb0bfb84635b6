import type { Insertable, Selectable } from 'kysely';
import { addSeconds, type Clock } from '../clock.ts';
import type { Database, Transaction } from '../database.ts';
import { Problem } from '../errors.ts';
import { newId } from '../ids.ts';
import type { SessionsTable } from './models.ts';
import { newNonce, newRefreshToken, type RefreshToken } from './refresh-tokens.ts';
import {
  advanceSession,
  deleteLiveSession,
  deleteOtherSessions,
  deleteSession,
  deleteSurplusSessions,
  findSessions,
  insertSession,
  type SessionView,
} from './session-models.ts';

export type Session = Selectable<SessionsTable>;

/** A session and the only copy of its refresh token. */
export interface Opened {
  readonly session: Session;
  readonly refreshToken: RefreshToken;
}

/** Where a login came from, as the person will see it in the list of their sessions. */
export interface Device {
  readonly userAgent: string | undefined;
  readonly ip: string | null;
}

export interface SessionSettings {
  /** Seconds each. */
  readonly refreshTokenTtl: number;
  readonly sessionTtl: number;
  /** Live sessions of one person. */
  readonly maxSessions: number;
}

export interface Sessions {
  /** Part of a login's transaction, which has locked the person. The oldest session ends where there would be too many. */
  start(tx: Transaction, userId: string, device: Device): Promise<Opened>;
  /** The session whose current refresh token this is, with the next one; undefined where there is none that is live. */
  advance(current: RefreshToken, now: Date): Promise<Opened | undefined>;
  /** Live ones, the last used first. */
  list(userId: string): Promise<SessionView[]>;
  /** Ends one; whether there was one. */
  logout(userId: string, id: string): Promise<boolean>;
  /** Throws `not_found` when the person has no such session that is live. */
  end(userId: string, id: string): Promise<void>;
  /** Ends all of a person but one; how many they were. */
  endOthers(userId: string, id: string): Promise<number>;
}

interface SessionOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly settings: SessionSettings;
}

export function createSessions({ database, clock, settings }: SessionOptions): Sessions {
  const idleEnd = (now: Date): Date => addSeconds(now, settings.refreshTokenTtl);

  return {
    async start(tx, userId, { userAgent, ip }) {
      const now = clock();
      const refreshToken = newRefreshToken();
      const expires_at = addSeconds(now, settings.sessionTtl);
      const session = {
        id: newId(),
        user_id: userId,
        created_at: now,
        last_used_at: now,
        expires_at,
        refresh_expires_at: idleEnd(now) < expires_at ? idleEnd(now) : expires_at,
        refresh_family_hash: refreshToken.familyHash,
        refresh_hash: refreshToken.hash,
        previous_refresh_hash: null,
        refresh_nonce: null,
        refreshed_at: null,
        user_agent: userAgent?.slice(0, maxUserAgent) ?? null,
        ip,
      } satisfies Insertable<SessionsTable>;
      // Before the new one is there, which may look older than all others where this node's clock is behind.
      await deleteSurplusSessions(tx, userId, settings.maxSessions - 1, now);
      await insertSession(tx, session);
      return { session, refreshToken };
    },

    async advance(current, now) {
      const nonce = newNonce();
      const refreshToken = current.successor(nonce);
      const advance = {
        refresh_hash: refreshToken.hash,
        previous_refresh_hash: current.hash,
        refresh_nonce: nonce,
        refreshed_at: now,
        last_used_at: now,
      };
      const session = await database.statement(tx => advanceSession(tx, current, advance, now, idleEnd(now)));
      return session && { session, refreshToken };
    },

    list: async userId => await findSessions(database.db, userId, clock()),

    logout: async (userId, id) => await database.statement(tx => deleteSession(tx, userId, id)),

    async end(userId, id) {
      if (!(await database.statement(tx => deleteLiveSession(tx, userId, id, clock()))))
        throw new Problem('not_found', 'There is nothing here.');
    },

    endOthers: async (userId, id) => await database.statement(tx => deleteOtherSessions(tx, userId, id)),
  };
}

/** Characters. */
const maxUserAgent = 512;
