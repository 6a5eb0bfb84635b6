import assert from 'node:assert/strict';
import test from 'node:test';
import { ConfigFaults, readConfig } from '../src/config.ts';

const secret = 'mR5tT2L51tDRiw4WZ-a5r4uZYS3GjdeOnXRUwmS6DyE';

test('without any setting, the defaults of the documentation', () => {
  assert.deepEqual(readConfig({}), {
    environment: 'production',
    host: '127.0.0.1',
    port: 3000,
    workers: 1,
    maxConnections: 15_000,
    keepAliveTimeout: 65,
    eventLoopMaxDelay: 100,
    memoryLimit: 0,
    drainDelay: 5,
    databaseUrl: 'sqlite:data/plinth.db',
    databasePool: 10,
    migrate: true,
    secret: undefined,
    previousSecret: undefined,
    bcryptCost: 12,
    hashThreads: 0,
    hashMaxWait: 3000,
    accessTokenTtl: 900,
    refreshTokenTtl: 1_209_600,
    sessionTtl: 2_592_000,
    maxSessions: 50,
    issuer: 'plinth',
    audience: 'plinth',
    passwordMinLength: 8,
    loginLimitAccount: 10,
    loginLimitSource: 100,
    newPasswordLimit: 100,
    trustedProxies: [],
    corsOrigins: [],
    logLevel: 'info',
  });
});

const allowed: readonly (readonly [name: string, value: string, key: string, read: unknown])[] = [
  ['HOST', '0.0.0.0', 'host', '0.0.0.0'],
  ['HOST', '::1', 'host', '::1'],
  ['HOST', 'localhost', 'host', 'localhost'],
  ['PORT', '0', 'port', 0],
  ['PORT', '65535', 'port', 65_535],
  ['DATABASE_URL', 'sqlite::memory:', 'databaseUrl', 'sqlite::memory:'],
  ['DATABASE_URL', 'sqlite:/var/lib/plinth/plinth.db', 'databaseUrl', 'sqlite:/var/lib/plinth/plinth.db'],
  ['DATABASE_POOL', '200', 'databasePool', 200],
  ['MIGRATE', 'off', 'migrate', false],
  ['MIGRATE', 'on', 'migrate', true],
  ['BCRYPT_COST', '10', 'bcryptCost', 10],
  ['BCRYPT_COST', '15', 'bcryptCost', 15],
  ['ISSUER', 'https://accounts.example', 'issuer', 'https://accounts.example'],
  ['PASSWORD_MIN_LENGTH', '15', 'passwordMinLength', 15],
  [
    'TRUSTED_PROXIES',
    '10.0.0.0/8, 192.0.2.1,2001:db8::/32',
    'trustedProxies',
    ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'],
  ],
  [
    'CORS_ORIGINS',
    'https://app.example,http://localhost:5173',
    'corsOrigins',
    ['https://app.example', 'http://localhost:5173'],
  ],
  ['LOGIN_LIMIT_ACCOUNT', '0', 'loginLimitAccount', 0],
  ['LOGIN_LIMIT_SOURCE', '1000', 'loginLimitSource', 1000],
  ['NEW_PASSWORD_LIMIT', '1', 'newPasswordLimit', 1],
  ['LOG_LEVEL', 'silent', 'logLevel', 'silent'],
  ['SECRET', secret, 'secret', Buffer.from(secret, 'base64url')],
];

test('allowed values are read', () => {
  for (const [name, value, key, read] of allowed) {
    assert.deepEqual(
      Object.entries(readConfig({ [name]: value })).find(([found]) => found === key)?.[1],
      read,
      name,
    );
  }
});

const refused: readonly (readonly [name: string, ...values: string[]])[] = [
  ['NODE_ENV', '', 'staging', 'Production'],
  ['HOST', '', 'a b', 'http://x', '-x'],
  ['PORT', '', '-1', '65536', '80a', '0x50', '1e3', ' 80', 'NaN', '3000.5', '99999999999'],
  ['DATABASE_URL', '', 'data/plinth.db', 'sqlite:', 'sqlite:a?mode=memory', 'mysql://x', 'file:x'],
  ['DATABASE_POOL', '', '0', '201', 'many'],
  ['MIGRATE', '', 'ON', 'yes', '1'],
  [
    'SECRET',
    '',
    'short',
    'x'.repeat(43),
    secret.slice(0, 42),
    `${secret}=`,
    `${secret}+`,
    `${'changeme'.repeat(6)}`,
    `my-secret-${secret}`,
    'A'.repeat(43),
    `${secret.slice(0, -1)}l`,
  ],
  ['WORKERS', '', '0', '-1', '65', '1.5', 'all', 'AUTO'],
  ['BCRYPT_COST', '', '9', '16', '4', '12.5', 'twelve'],
  ['HASH_THREADS', '', '-1', '65', 'auto'],
  ['HASH_MAX_WAIT', '', '0', '99', '3s'],
  ['ACCESS_TOKEN_TTL', '', '0', '-1', '86401', '15m'],
  ['REFRESH_TOKEN_TTL', '', '0', '31536001'],
  ['SESSION_TTL', '', '0', 'forever'],
  ['MAX_SESSIONS', '', '0', '1001', 'all'],
  ['ISSUER', '', 'a b', 'é', 'x'.repeat(201)],
  ['AUDIENCE', '', 'a\nb'],
  ['PASSWORD_MIN_LENGTH', '', '0', '7', '65'],
  ['LOGIN_LIMIT_ACCOUNT', '', '-1', '1001', 'off'],
  ['LOGIN_LIMIT_SOURCE', '', '-1', '1001', '1e2'],
  ['NEW_PASSWORD_LIMIT', '', '-1', '1001', 'none'],
  [
    'TRUSTED_PROXIES',
    '',
    'all',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '::/0',
    '::ffff:10.0.0.0/8',
    '0:0:0:0:0:ffff:a00:0/104',
    '10.0.0.1/8/8',
    '10.0.0.1,',
    '*',
  ],
  [
    'CORS_ORIGINS',
    '',
    '*',
    'null',
    'app.example',
    'https://app.example/',
    'https://app.example/x',
    'https://*.example',
    'ftp://app.example',
    'https://app.example:443',
  ],
  ['LOG_LEVEL', '', 'verbose', 'INFO'],
  ['PLINTH_PORT', '3000'],
  ['PLINTH_', ''],
];

test('every other value is refused by name, with what was found and what is allowed', () => {
  for (const [name, ...values] of refused) {
    for (const value of values) {
      const [fault = '', ...others] = faultsOf({ [name]: value });
      assert.deepEqual(others, [], name);
      assert.ok(fault.startsWith(`${name}: `), `${name}=${value} gives ${fault}`);
      assert.ok(!fault.includes('\n'));
      if (name === 'SECRET' && value !== '') assert.ok(!fault.includes(value), 'a secret is shown');
    }
  }
});

test('more than one process is refused on SQLite', () => {
  for (const value of ['2', '64', 'auto'])
    assert.deepEqual(faultsOf({ WORKERS: value }), [
      'WORKERS: a SQLite database is for one process; more than one need PostgreSQL',
    ]);
  assert.equal(readConfig({ WORKERS: '1' }).workers, 1);
});

test('all faults are told at once', () => {
  const faults = faultsOf({ PORT: 'x', BCRYPT_COST: '3', PLINTH_X: '', SECRET: 'short' });
  assert.deepEqual(faults.map(fault => fault.split(':')[0]).sort(), [
    'BCRYPT_COST',
    'PLINTH_X',
    'PORT',
    'SECRET',
  ]);
});

test('a password in a database URL is not shown', () => {
  const [fault] = faultsOf({ DATABASE_URL: 'mysql://root:hunter2@db/x' });
  assert.doesNotMatch(fault ?? '', /hunter2|root/);
});

test('a cost of 4 is for tests alone', () => {
  assert.equal(readConfig({ NODE_ENV: 'test', BCRYPT_COST: '4' }).bcryptCost, 4);
  assert.equal(faultsOf({ NODE_ENV: 'development', BCRYPT_COST: '4' }).length, 1);
});

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    assert.ok(error instanceof ConfigFaults);
    return error.faults;
  }
  return assert.fail(`accepted: ${JSON.stringify(environment)}`);
}

test('PostgreSQL needs a secret that is given, and its password is never shown', () => {
  const url = 'postgres://plinth:p%2Fss@db.example/accounts';
  assert.equal(readConfig({ DATABASE_URL: url, SECRET: secret }).databaseUrl, url);
  assert.deepEqual(faultsOf({ DATABASE_URL: url }), [
    'SECRET: has to be set where the database is PostgreSQL',
  ]);
  assert.equal(faultsOf({ DATABASE_URL: url, SECRET: 'short' }).length, 1);
  for (const wrong of [
    'postgres://plinth:hidden/hidden@db.example/accounts',
    'postgres://plinth:hidden@db.example/accounts?sslmode=prefer',
    'postgres://plinth:hidden@db.example/accounts?password=hidden',
    'postgres://plinth:hidden@hidden@db.example:x/accounts',
  ]) {
    const [fault = '', ...others] = faultsOf({ DATABASE_URL: wrong, SECRET: secret });
    assert.deepEqual(others, []);
    assert.match(fault, /^DATABASE_URL: "postgres:\/\/…@db\.example.* is not sqlite:PATH, /);
    assert.doesNotMatch(fault, /hidden/);
  }
});
