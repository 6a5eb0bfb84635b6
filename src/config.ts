import { isIP } from 'node:net';
import { addressForm, parseAddress } from './database/postgres/address.ts';

/** Everything the operator can set. The only module that reads the environment; see `docs/settings.md`. */
export interface Config {
  readonly environment: 'production' | 'development' | 'test';
  readonly host: string;
  readonly port: number;
  /** Connections at once. */
  readonly maxConnections: number;
  /** Seconds after which an idle connection is closed. */
  readonly keepAliveTimeout: number;
  /** Milliseconds by which the event loop may be late before requests are shed. */
  readonly eventLoopMaxDelay: number;
  /** MiB that the process may keep resident; 0 is what the system allows. */
  readonly memoryLimit: number;
  /** Seconds from the signal to stop for which the service goes on. */
  readonly drainDelay: number;
  /** Processes that serve; 0 is one per core. */
  readonly workers: number;
  readonly databaseUrl: string;
  /** Connections to PostgreSQL at most. */
  readonly databasePool: number;
  /** Whether the schema is brought up to date at the start, or has to be. */
  readonly migrate: boolean;
  /** Undefined: it lies in a file beside the database. */
  readonly secret: Uint8Array | undefined;
  /** The one before it, while it is being replaced; see `docs/settings.md`. */
  readonly previousSecret: Uint8Array | undefined;
  readonly bcryptCost: number;
  /** Threads that hash; 0 is one per core. */
  readonly hashThreads: number;
  /** The longest expected wait for a hash with which work is still taken on, in milliseconds. */
  readonly hashMaxWait: number;
  /** Seconds. */
  readonly accessTokenTtl: number;
  /** Seconds without use after which a session ends. */
  readonly refreshTokenTtl: number;
  /** Seconds after which a session ends whatever happens. */
  readonly sessionTtl: number;
  /** Live sessions of one person; the oldest ends where there would be more. */
  readonly maxSessions: number;
  readonly issuer: string;
  readonly audience: string;
  /** Code points. */
  readonly passwordMinLength: number;
  /** Failed logins within 15 minutes, with which an account or a source has to wait; 0 is no limit. */
  readonly loginLimitAccount: number;
  readonly loginLimitSource: number;
  /** New passwords within 15 minutes from one source, or of one person; 0 is no limit. */
  readonly newPasswordLimit: number;
  readonly trustedProxies: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly logLevel: string;
}

/** What is wrong with the settings, one line each; never the value of a secret. */
export class ConfigFaults extends Error {
  override readonly name = 'ConfigFaults';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** Reads and checks all settings; throws `ConfigFaults` naming every fault. An empty value is a fault, not a default. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = Object.keys(environment)
    .filter(name => name.startsWith('PLINTH_'))
    .map(name => `${name}: there is no such setting`);

  function setting<Value>(name: string, fallback: Value, parse: Parse<Value>, allowed: string): Value {
    const text = environment[name];
    if (text === undefined) return fallback;
    const value = parse(text);
    if (value !== undefined) return value;
    faults.push(`${name}: ${shown(name, text)} is not ${allowed}`);
    return fallback;
  }
  const whole = (name: string, fallback: number, from: number, to: number, unit = ''): number =>
    setting(name, fallback, wholeNumber(from, to), `a whole number${unit} from ${from} to ${to}`);

  const mode = setting('NODE_ENV', 'production', oneOf(environments), `one of ${environments.join(', ')}`);
  const config: Config = Object.freeze({
    environment: mode,
    host: setting('HOST', '127.0.0.1', hostName, 'an IP address or host name'),
    port: whole('PORT', 3000, 0, 65_535),
    maxConnections: whole('MAX_CONNECTIONS', 15_000, 1, 1_000_000),
    eventLoopMaxDelay: whole('EVENT_LOOP_MAX_DELAY', 100, 10, 60_000, ' of milliseconds'),
    memoryLimit: whole('MEMORY_LIMIT', 0, 0, 16_777_216, ' of MiB'),
    drainDelay: whole('DRAIN_DELAY', mode === 'production' ? 5 : 0, 0, 300, ' of seconds'),
    keepAliveTimeout: whole('KEEP_ALIVE_TIMEOUT', 65, 1, 3600, ' of seconds'),
    workers: setting('WORKERS', 1, workerCount, '"auto" or a whole number from 1 to 64'),
    databaseUrl: setting(
      'DATABASE_URL',
      'sqlite:data/plinth.db',
      databaseUrl,
      `sqlite:PATH, sqlite::memory: or ${addressForm}`,
    ),
    databasePool: whole('DATABASE_POOL', 10, 1, 200),
    migrate: setting('MIGRATE', 'on', oneOf(switches), `one of ${switches.join(', ')}`) === 'on',
    secret: setting('SECRET', undefined, parseSecret, 'at least 32 random bytes in base64url'),
    previousSecret: setting('SECRET_PREVIOUS', undefined, parseSecret, 'the secret that SECRET replaces'),
    bcryptCost: whole('BCRYPT_COST', 12, mode === 'test' ? 4 : 10, 15),
    hashThreads: whole('HASH_THREADS', 0, 0, 64),
    hashMaxWait: whole('HASH_MAX_WAIT', 3000, 100, 60_000, ' of milliseconds'),
    accessTokenTtl: whole('ACCESS_TOKEN_TTL', 900, 1, 86_400, ' of seconds'),
    refreshTokenTtl: whole('REFRESH_TOKEN_TTL', 1_209_600, 1, 31_536_000, ' of seconds'),
    sessionTtl: whole('SESSION_TTL', 2_592_000, 1, 31_536_000, ' of seconds'),
    maxSessions: whole('MAX_SESSIONS', 50, 1, 1000),
    issuer: setting('ISSUER', 'plinth', identifier, identifierForm),
    audience: setting('AUDIENCE', 'plinth', identifier, identifierForm),
    passwordMinLength: whole('PASSWORD_MIN_LENGTH', 8, 8, 64, ' of code points'),
    loginLimitAccount: whole('LOGIN_LIMIT_ACCOUNT', 10, 0, 1000),
    loginLimitSource: whole('LOGIN_LIMIT_SOURCE', 100, 0, 1000),
    newPasswordLimit: whole('NEW_PASSWORD_LIMIT', 100, 0, 1000),
    trustedProxies: setting(
      'TRUSTED_PROXIES',
      [],
      listOf(network),
      'a comma-separated list of addresses or CIDRs',
    ),
    corsOrigins: setting(
      'CORS_ORIGINS',
      [],
      listOf(origin),
      'a comma-separated list of origins, as https://app.example',
    ),
    logLevel: setting('LOG_LEVEL', 'info', oneOf(levels), `one of ${levels.join(', ')}`),
  });
  if (parseAddress(config.databaseUrl) && !config.secret && environment['SECRET'] === undefined)
    faults.push('SECRET: has to be set where the database is PostgreSQL');
  if (config.workers !== 1 && config.databaseUrl.startsWith('sqlite:'))
    faults.push('WORKERS: a SQLite database is for one process; more than one need PostgreSQL');
  if (faults.length > 0) throw new ConfigFaults(faults);
  return config;
}

/** Those that may be seen by who reads the log: of the database only which engine it is. */
export function publicSettings(config: Config): Readonly<Record<string, unknown>> {
  const { secret: _, previousSecret: __, databaseUrl: url, ...others } = config;
  return { ...others, database: url.slice(0, url.indexOf(':')) };
}

/** What was found, without what is secret in it: a database URL may hold a password. */
function shown(name: string, text: string): string {
  if (name.startsWith('SECRET')) return 'what is set';
  return JSON.stringify(
    name === 'DATABASE_URL' ? text.replace(/\/\/.*@/s, '//…@').replace(/\?.*/s, '?…') : text,
  );
}

/** Undefined means: not allowed. */
type Parse<Value> = (text: string) => Value | undefined;

const environments = ['production', 'development', 'test'] as const;
const switches = ['on', 'off'] as const;
const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const identifierForm = '1 to 200 printable ASCII characters without spaces';

function oneOf<Value extends string>(values: readonly Value[]): Parse<Value> {
  return text => values.find(value => value === text);
}

function wholeNumber(from: number, to: number): Parse<number> {
  return text => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return number >= from && number <= to ? number : undefined;
  };
}

function workerCount(text: string): number | undefined {
  return text === 'auto' ? 0 : wholeNumber(1, 64)(text);
}

function listOf<Value>(parse: Parse<Value>): Parse<readonly Value[]> {
  return text => {
    const values = text.split(',').map(part => parse(part.trim()));
    return values.every(value => value !== undefined) ? values : undefined;
  };
}

function hostName(text: string): string | undefined {
  return isIP(text) || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(text) ? text : undefined;
}

function identifier(text: string): string | undefined {
  return /^[\x21-\x7e]{1,200}$/.test(text) ? text : undefined;
}

function databaseUrl(text: string): string | undefined {
  return /^sqlite:[^?#]+$/.test(text) || parseAddress(text) ? text : undefined;
}

/**
 * A network in IPv6-mapped IPv4 notation is refused: `::ffff:10.0.0.0/8` reads as 10.0.0.0/8 and means the whole
 * internet. So is a prefix of length 0, for the same reason.
 */
function network(text: string): string | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  if (version === 6 && new URL(`http://[${address}]`).hostname.startsWith('[::ffff:')) return undefined;
  if (prefix === undefined) return text;
  return wholeNumber(1, version === 4 ? 32 : 128)(prefix) === undefined ? undefined : text;
}

function origin(text: string): string | undefined {
  if (!/^https?:\/\/[a-z0-9.:[\]-]+$/.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).origin === text ? text : undefined;
}

/** Refuses what people type when they are asked for a secret: too short, few different bytes, or words. */
export function parseSecret(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  const canonical = bytes.toString('base64url') === text;
  const placeholder = /change.?me|example|placeholder|password|secret|default|plinth/i.test(text);
  return canonical && bytes.length >= 32 && new Set(bytes).size >= 16 && !placeholder ? bytes : undefined;
}
