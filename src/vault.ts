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
  /** `context` says what and whose it is; the same has to be given to open it again. */
  seal(plaintext: string, context: string): string;
  /** Throws when the text was sealed with another secret or context, or was changed. */
  open(sealed: string, context: string): string;
  /** A value by which a later start can tell that it has the same secret, and nothing else. */
  readonly fingerprint: string;
  /** Whether a fingerprint was made with this secret. */
  matches(fingerprint: string): boolean;
}

const version = 'v1';

/** `secret`: at least 32 random bytes. Keys by HKDF-SHA256 (RFC 5869), sealing by AES-256-GCM with a random nonce. */
export function createVault(secret: Uint8Array): Vault {
  const sealingKey = derive(secret, 'sealing');
  const fingerprint = createHmac('sha256', derive(secret, 'fingerprint'))
    .update('plinth')
    .digest('base64url');
  return {
    fingerprint,
    matches: other =>
      other.length === fingerprint.length && timingSafeEqual(Buffer.from(other), Buffer.from(fingerprint)),

    seal(plaintext, context) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return [version, nonce.toString('base64url'), sealed.toString('base64url')].join('.');
    },

    open(text, context) {
      const [form, nonce = '', body = ''] = text.split('.');
      if (form !== version) throw new Error('sealed by a version that this program does not know');
      const sealed = Buffer.from(body, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', sealingKey, Buffer.from(nonce, 'base64url'), {
        authTagLength: 16,
      })
        .setAAD(Buffer.from(context))
        .setAuthTag(sealed.subarray(-16));
      return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]).toString('utf8');
    },
  };
}

function derive(secret: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `plinth ${purpose}`, 32));
}
