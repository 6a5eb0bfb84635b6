import { Problem } from '../errors.ts';

/**
 * An `application/x-www-form-urlencoded` body, as strictly as JSON is read: well-formed percent-encoding and UTF-8, no
 * repeated name. Throws `malformed_request`.
 */
export function parseForm(bytes: Uint8Array): Record<string, string> {
  const fields = new Map<string, string>();
  for (const pair of Buffer.from(bytes).toString('latin1').split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (fields.has(name)) throw new Problem('malformed_request', 'The form has a repeated field name.');
    if (name === '__proto__') throw new Problem('malformed_request', 'The form has a field named __proto__.');
    fields.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)));
  }
  return Object.fromEntries(fields);
}

/** Browsers send ASCII only; a raw byte above 127 would be read differently by different parsers. */
function decode(text: string): string {
  if (/\P{ASCII}/u.test(text)) throw new Problem('malformed_request', 'The form is not percent-encoded.');
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new Problem('malformed_request', 'The form is not percent-encoded UTF-8.', { cause });
  }
}
