import type { Fault } from '../errors.ts';
import type { Blocklist } from './blocklist.ts';
import { canonicalEmail } from './email.ts';

/** NIST SP 800-63B-4, section 3.1.1.2: length and a list of known-bad choices, and no rule of composition. */
export interface PasswordPolicy {
  /** Code points after NFC. */
  readonly minLength: number;
  readonly blocklist: Blocklist;
}

/** Code points. A bound, so that nobody makes the server normalise and hash a megabyte. */
export const maxPasswordLength = 256;

const serviceName = 'plinth';

/** The form in which a password is hashed and compared: RFC 8265 OpaqueString's NFC, nothing trimmed, nothing folded. */
export function normalizePassword(password: string): string {
  return password.normalize('NFC');
}

/** Everything that a new password has against it; `email` is the address it will belong to, as far as it is known. */
export function passwordFaults(
  policy: PasswordPolicy,
  password: string,
  email: unknown,
  pointer = '/password',
): Fault[] {
  const faults = passwordFormFaults(password, pointer);
  const normal = normalizePassword(password);
  if ([...normal].length < policy.minLength) {
    faults.push({
      pointer,
      code: 'too_short',
      detail: `has to have at least ${policy.minLength} characters`,
    });
  }
  if (policy.blocklist.has(normal)) {
    faults.push({ pointer, code: 'password_blocklisted', detail: 'is one of the most used passwords' });
  } else if (isDerived(normal.toLowerCase(), names(email))) {
    faults.push({
      pointer,
      code: 'password_guessable',
      detail: 'is made of the email address or the service name',
    });
  }
  return faults;
}

/** What no password can be, new or old: these are refused at login too, before any work. */
export function passwordFormFaults(password: string, pointer = '/password'): Fault[] {
  if (!password.isWellFormed()) {
    return [{ pointer, code: 'ill_formed_unicode', detail: 'has half a surrogate pair' }];
  }
  // UTF-16 units bound code points from above, so the common case counts nothing.
  if (password.length > maxPasswordLength && [...normalizePassword(password)].length > maxPasswordLength) {
    return [{ pointer, code: 'too_long', detail: `has to have at most ${maxPasswordLength} characters` }];
  }
  return [];
}

/** The words that a stranger would try first: the address, its parts, and the name of the service. */
function names(email: unknown): string[] {
  const address = typeof email === 'string' ? (canonicalEmail(email) ?? '') : '';
  const [local = '', domain = ''] = address.split('@');
  return [address, ...local.split(/[._+-]/), ...domain.split('.'), local, domain, serviceName].filter(
    name => name.length >= 3,
  );
}

/**
 * Whether nothing is left of the password when the names, however often and in whatever order, and then digits and
 * punctuation around and between them are taken away. "ada1815!" of ada@… is derived; "ada loves engines" is not.
 */
function isDerived(password: string, names: readonly string[]): boolean {
  const rest = names
    .toSorted((a, b) => b.length - a.length)
    .reduce((text, name) => text.replaceAll(name, ' '), password);
  return rest !== password && !/\p{L}/u.test(rest);
}
