import { errors, jwtVerify, SignJWT } from 'jose';
import type { Selectable } from 'kysely';
import type { Clock } from '../clock.ts';
import { algorithm } from './key-models.ts';
import type { Keyring } from './keyring.ts';
import type { SessionsTable } from './models.ts';

/** What an access token says; ids only, nothing of the person. */
export interface AccessClaims {
  readonly sub: string;
  readonly sid: string;
  /** Seconds since 1970. */
  readonly iat: number;
  readonly exp: number;
}

export interface AccessTokens {
  /** Signs a token for a session, which it does not outlive. */
  issue(session: TokenSession): Promise<{ readonly token: string; readonly expiresIn: number }>;
  /** The claims of a token that is ours, well-formed and in its time; undefined for every other. */
  verify(token: string): Promise<AccessClaims | undefined>;
}

export type TokenSession = Pick<Selectable<SessionsTable>, 'id' | 'user_id' | 'expires_at'>;

interface AccessTokenOptions {
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly issuer: string;
  readonly audience: string;
  /** Seconds. */
  readonly ttl: number;
}

interface Remembered {
  /** Of the key that signed it, which may be revoked before the token ends. */
  readonly kid: string;
  readonly claims: AccessClaims;
}

/** RFC 9068's `typ`: other kinds of JWT are not accepted as access tokens. */
const typ = 'at+jwt';
/** Seconds that a token outlives `exp`, for nodes whose clocks differ. */
const leeway = 5;
/** Seconds that `iat` may be ahead of the clock: what comes from further off, or from before a clock was set back, is refused. */
const maxAhead = 10;
const maxLength = 4096;
/** Verified tokens that are remembered; about 1 KiB each. */
const maxRemembered = 10_000;

export function createAccessTokens({
  keyring,
  clock,
  issuer,
  audience,
  ttl,
}: AccessTokenOptions): AccessTokens {
  const remembered = new Map<string, Remembered>();

  /** By all of its bytes, so that nothing but the very same token is taken for it; the oldest makes room. */
  function remember(token: string, kid: string, claims: AccessClaims): AccessClaims {
    const [oldest] = remembered.size >= maxRemembered ? remembered.keys() : [];
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(token, { kid, claims });
    return claims;
  }

  return {
    async issue({ id: sid, user_id: sub, expires_at }) {
      const iat = seconds(clock());
      const exp = Math.min(iat + ttl, seconds(expires_at));
      const { kid, key } = await keyring.signer();
      const token = await new SignJWT({ sid })
        .setProtectedHeader({ alg: algorithm, typ, kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(sub)
        .setJti(crypto.randomUUID())
        .setIssuedAt(iat)
        .setExpirationTime(exp)
        .sign(key);
      return { token, expiresIn: exp - iat };
    },

    async verify(token) {
      const now = clock();
      const known = remembered.get(token);
      if (known) {
        const counts = isInTime(known.claims, seconds(now)) && (await keyring.verifier(known.kid));
        if (counts) return known.claims;
        remembered.delete(token);
        return undefined;
      }
      const kid = keyIdOf(token);
      const key = kid === undefined ? undefined : await keyring.verifier(kid);
      if (kid === undefined || !key) return undefined;
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [algorithm],
          issuer,
          audience,
          typ,
          clockTolerance: leeway,
          currentDate: now,
        });
        const claims = accessClaims(payload, seconds(now));
        return claims && remember(token, kid, claims);
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}

/**
 * The `kid` of a token whose form leaves nothing to interpretation: three parts, each the one base64url spelling of its
 * bytes, and a header that has exactly the three members that ours have. So `crit`, `jwk`, `jku`, `x5u` and their kind
 * are refused by not being known, before any cryptography.
 */
function keyIdOf(token: string): string | undefined {
  if (token.length > maxLength) return undefined;
  const parts = token.split('.', 4);
  if (parts.length !== 3 || !parts.every(isCanonical)) return undefined;
  const header = parseObject(parts[0] ?? '');
  const known = header?.['alg'] === algorithm && header['typ'] === typ && Object.keys(header).length === 3;
  return known && typeof header['kid'] === 'string' ? header['kid'] : undefined;
}

function isCanonical(part: string): boolean {
  return part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part;
}

function parseObject(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What the signature does not promise: that each claim is there, of its type, and means one thing. */
function accessClaims(payload: Readonly<Record<string, unknown>>, now: number): AccessClaims | undefined {
  const { aud, sub, sid, jti, iat, exp } = payload;
  if (typeof aud !== 'string' || typeof jti !== 'string' || jti === '') return undefined;
  if (typeof sub !== 'string' || !uuid.test(sub) || typeof sid !== 'string' || !uuid.test(sid))
    return undefined;
  if (!isTime(iat) || !isTime(exp) || exp <= iat || !isInTime({ iat, exp }, now)) return undefined;
  return { sub, sid, iat, exp };
}

/** Asked again for a token that is remembered: the clock may have been set back meanwhile. */
function isInTime({ iat, exp }: Pick<AccessClaims, 'iat' | 'exp'>, now: number): boolean {
  return iat <= now + maxAhead && now < exp + leeway;
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
