import { readFileSync } from 'node:fs';
import { type ConnectionOptions, checkServerIdentity, getCACertificates } from 'node:tls';
import { DatabaseRefused } from '../errors.ts';
import type { Address } from './address.ts';

/** What TLS is to check, as libpq's `sslmode` of the same name does; false: no TLS. Throws `DatabaseRefused`. */
export function tlsOptions({ tls, host, rootCertificates }: Address): ConnectionOptions | false {
  if (tls === 'disable') return false;
  if (tls === 'require') return { rejectUnauthorized: false };
  const trusted = rootCertificates === undefined ? {} : { ca: readCertificates(rootCertificates) };
  return {
    ...trusted,
    rejectUnauthorized: true,
    // By our own name for the server: what a TLS library takes for it depends on whether that is an IP address.
    checkServerIdentity: (_, certificate) =>
      tls === 'verify-full' ? checkServerIdentity(host, certificate) : undefined,
  };
}

function readCertificates(place: string): string[] {
  if (place === 'system') return getCACertificates('system');
  try {
    return [readFileSync(place, 'utf8')];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseRefused(`has certificates that cannot be read: ${reason}`, { cause: error });
  }
}
