import { domainToASCII } from 'node:url';
import type { Fault } from '../errors.ts';

const maxBytes = 254;
const maxLocalBytes = 64;

/** RFC 5322 `dot-atom` with the letters, marks and digits of any script (RFC 6532), and nothing that is quoted. */
const localPart = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The form of an address by which people are told apart: lower case, NFC, the domain in IDNA A-labels. Undefined when
 * the text is not exactly one address that mail could be sent to over the internet.
 *
 * Lower-casing the part before the @ is against the letter of RFC 5321 and with the practice of every large provider.
 */
export function canonicalEmail(text: string): string | undefined {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, Math.max(at, 0)).normalize('NFC').toLowerCase().normalize('NFC');
  const domain = canonicalDomain(text.slice(at + 1));
  const valid =
    domain !== undefined && localPart.test(local) && bytes(local) <= maxLocalBytes && bytes(text) <= maxBytes;
  return valid && bytes(`${local}@${domain}`) <= maxBytes ? `${local}@${domain}` : undefined;
}

/** The fault of an address, as a list for `withRules`. */
export function emailFaults(text: string): Fault[] {
  return canonicalEmail(text) === undefined
    ? [
        {
          pointer: '/email',
          code: 'invalid_email',
          detail: `has to be one email address of at most ${maxBytes} bytes`,
        },
      ]
    : [];
}

/**
 * Characters that a URL parser would cut off, decode or map to a dot are refused before it sees them; a number at the
 * end would be read as an IPv4 address.
 */
function canonicalDomain(text: string): string | undefined {
  if (!/^[\p{L}\p{M}\p{N}.-]+$/u.test(text)) return undefined;
  const labels = domainToASCII(text).split('.');
  const valid =
    labels.length >= 2 && labels.every(part => label.test(part)) && !/^\d+$/.test(labels.at(-1) ?? '');
  return valid && labels.join('.').length <= 253 ? labels.join('.') : undefined;
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}
