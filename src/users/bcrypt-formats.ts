/** A password hash taken apart. */
export interface StoredHash {
  readonly scheme: Scheme;
  /** Binary logarithm of the rounds. */
  readonly cost: number;
  /** The 22 characters of the salt: they are the HMAC key of `sha256`. */
  readonly saltText: string;
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** 23 bytes. */
  readonly digest: Uint8Array;
}

/**
 * `plain`: bcrypt of the password. `sha256`: Passlib's `bcrypt_sha256` version 2, bcrypt of its HMAC. `sha256-v1`: the
 * version before, bcrypt of its hash; read, and written no more.
 */
export type Scheme = 'plain' | 'sha256' | 'sha256-v1';

const forms: readonly (readonly [Scheme, RegExp])[] = [
  ['plain', /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/],
  ['sha256', /^\$bcrypt-sha256\$v=2,t=2b,r=([1-9]\d?)\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})$/],
  ['sha256-v1', /^\$bcrypt-sha256\$2[ab],([1-9]\d?)\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})$/],
];

/** Costs outside of these are not computed, whatever the database says: 2^31 rounds would be days. */
const minCost = 4;
const maxCost = 15;

/**
 * Reads `$2a$`, `$2b$` and `$2y$` (one function for passwords of at most 72 bytes without NUL) and both versions of
 * `$bcrypt-sha256$`. Undefined for everything else, `$2x$` and `$2$` (known to be faulty) included.
 *
 * Bits that are left over in the last character of salt and digest are cleared, as Passlib does.
 */
export function parseHash(text: string): StoredHash | undefined {
  for (const [scheme, form] of forms) {
    const [, costText, saltText = '', digestText = ''] = form.exec(text) ?? [];
    const cost = Number(costText);
    if (cost >= minCost && cost <= maxCost) {
      const salt = decodeBase64(saltText);
      return { scheme, cost, saltText: encodeBase64(salt), salt, digest: decodeBase64(digestText) };
    }
  }
  return undefined;
}

export function formatHash(
  scheme: 'plain' | 'sha256',
  cost: number,
  saltText: string,
  digest: Uint8Array,
): string {
  const tail = encodeBase64(digest);
  return scheme === 'plain'
    ? `$2b$${String(cost).padStart(2, '0')}$${saltText}${tail}`
    : `$bcrypt-sha256$v=2,t=2b,r=${cost}$${saltText}$${tail}`;
}

const standard = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const bcrypts = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** bcrypt's base64: another alphabet, no padding. */
export function encodeBase64(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('base64').replaceAll('=', '');
  return translate(text, standard, bcrypts);
}

function decodeBase64(text: string): Uint8Array {
  return Buffer.from(translate(text, bcrypts, standard), 'base64');
}

function translate(text: string, from: string, to: string): string {
  return Array.from(text, char => to[from.indexOf(char)] ?? '').join('');
}
