import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** Encrypts what is secret at rest, under keys derived from `SECRET`. The secret itself is used for nothing else. */
export interface Vault {
  /** `context` says what and whose it is; the same has to be given to open it again. Always under the new secret. */
  seal(plaintext: string, context: string): string;
  /** Throws when the text was sealed with neither secret or another context, or was changed. */
  open(sealed: string, context: string): string;
  /** A value by which a later start can tell that it has the same secret, and nothing else. */
  readonly fingerprint: string;
  /** Whether a fingerprint was made with the secret or the previous one. */
  matches(fingerprint: string): boolean;
  /**
   * What stands for some text where the text itself must not stand: the same for the same parts and purpose, under the
   * new secret, and telling nothing of them. 32 characters of base64url.
   */
  pseudonym(purpose: string, ...parts: readonly string[]): string;
}

const version = 'v1';

interface Keys {
  readonly sealing: Buffer;
  readonly pseudonyms: Buffer;
  readonly fingerprint: string;
}

/**
 * `secret`: at least 32 random bytes; `previous`: the one before it, which still opens. Keys by HKDF-SHA256 (RFC 5869),
 * sealing by AES-256-GCM with a random nonce.
 */
export function createVault(secret: Uint8Array, previous?: Uint8Array): Vault {
  const current = derive(secret);
  const all = previous ? [current, derive(previous)] : [current];
  return {
    fingerprint: current.fingerprint,
    matches: other => all.some(({ fingerprint }) => equal(fingerprint, other)),

    pseudonym: (...parts) =>
      createHmac('sha256', current.pseudonyms).update(JSON.stringify(parts)).digest('base64url').slice(0, 32),

    seal(plaintext, context) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', current.sealing, nonce).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return [version, nonce.toString('base64url'), sealed.toString('base64url')].join('.');
    },

    open(text, context) {
      const [form, nonce = '', body = ''] = text.split('.');
      if (form !== version) throw new Error('sealed by a version that this program does not know');
      const failures: unknown[] = [];
      for (const { sealing } of all) {
        try {
          return decrypt(sealing, Buffer.from(nonce, 'base64url'), Buffer.from(body, 'base64url'), context);
        } catch (error) {
          failures.push(error);
        }
      }
      throw new AggregateError(failures, 'sealed with another secret or for another purpose, or changed');
    },
  };
}

function decrypt(key: Buffer, nonce: Buffer, sealed: Buffer, context: string): string {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]).toString('utf8');
}

function derive(secret: Uint8Array): Keys {
  const key = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `plinth ${purpose}`, 32));
  return {
    sealing: key('sealing'),
    pseudonyms: key('pseudonyms'),
    fingerprint: createHmac('sha256', key('fingerprint')).update('plinth').digest('base64url'),
  };
}

function equal(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
