import { isIP } from 'node:net';

/** Where a PostgreSQL database is, and how much is asked of the way to it. */
export interface Address {
  /** A name, an IP address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly tls: TlsMode;
  /** A file of certificates in PEM; `system`: those of the operating system; undefined: those that come with Node. */
  readonly rootCertificates: string | undefined;
}

/** As libpq has them, without those that encrypt only if the other side feels like it. */
const tlsModes = ['disable', 'require', 'verify-ca', 'verify-full'] as const;
type TlsMode = (typeof tlsModes)[number];

export const addressForm = 'postgres://USER:PASSWORD@HOST:PORT/DATABASE';

export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url);
}

/**
 * Undefined for what is not an address: user, host and database have to be there, and no option but `sslmode` and
 * `sslrootcert` is known. Without `sslmode` the server has to prove who it is, unless it is on this machine.
 */
export function parseAddress(text: string): Address | undefined {
  if (!isPostgresUrl(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  try {
    const host = decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1');
    const address = {
      host,
      port: Number(url.port || 5432),
      user: decodeURIComponent(url.username),
      password: url.password === '' ? undefined : decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)),
      ...readOptions(url.searchParams, host),
    };
    const { user, database, tls } = address;
    if (!host || !user || !database || database.includes('/') || url.hash || !tls) return undefined;
    return { ...address, tls };
  } catch (error) {
    // A percent sign that begins nothing.
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** For people, without what is secret: who may be told where the data lies need not be told as whom to log in. */
export function describeAddress({ host, port, database }: Address): string {
  const place = host.startsWith('/')
    ? `${host}, port ${port}`
    : `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  return `${database} at ${place}`;
}

/** `tls` is undefined where an option is not known. */
function readOptions(options: URLSearchParams, host: string) {
  const names = [...options.keys()];
  const known = names.every(name => name === 'sslmode' || name === 'sslrootcert');
  const rootCertificates = options.get('sslrootcert') || undefined;
  const asked = options.get('sslmode') ?? (isNear(host) ? 'disable' : 'verify-full');
  const tls = tlsModes.find(mode => mode === asked);
  if (!known || new Set(names).size < names.length) return { tls: undefined, rootCertificates };
  // As libpq does: whoever says whom to trust wants it checked.
  return { tls: tls === 'require' && rootCertificates ? ('verify-ca' as const) : tls, rootCertificates };
}

function isNear(host: string): boolean {
  return (
    host.startsWith('/') ||
    host === 'localhost' ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}
