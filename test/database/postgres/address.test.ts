import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeAddress, parseAddress } from '../../../src/database/postgres/address.ts';

const plain = {
  host: 'db.example',
  port: 5432,
  user: 'plinth',
  password: undefined,
  database: 'accounts',
  tls: 'verify-full',
  rootCertificates: undefined,
} as const;

for (const [url, difference] of [
  ['postgres://plinth@db.example/accounts', {}],
  ['postgresql://plinth@db.example/accounts', {}],
  [
    'postgres://pl%40inth:p%2F%3As@db.example:6432/acc%20s',
    {
      user: 'pl@inth',
      password: 'p/:s',
      port: 6432,
      database: 'acc s',
    },
  ],
  ['postgres://plinth@localhost/accounts', { host: 'localhost', tls: 'disable' }],
  ['postgres://plinth@127.1.2.3/accounts', { host: '127.1.2.3', tls: 'disable' }],
  ['postgres://plinth@[::1]/accounts', { host: '::1', tls: 'disable' }],
  ['postgres://plinth@%2Frun%2Fpostgresql/accounts', { host: '/run/postgresql', tls: 'disable' }],
  ['postgres://plinth@localhost.example/accounts', { host: 'localhost.example' }],
  ['postgres://plinth@10.0.0.1/accounts', { host: '10.0.0.1' }],
  ['postgres://plinth@[2001:db8::1]/accounts', { host: '2001:db8::1' }],
  ['postgres://plinth@localhost/accounts?sslmode=verify-full', { host: 'localhost' }],
  ['postgres://plinth@db.example/accounts?sslmode=disable', { tls: 'disable' }],
  ['postgres://plinth@db.example/accounts?sslmode=require', { tls: 'require' }],
  [
    'postgres://plinth@db.example/accounts?sslmode=require&sslrootcert=/ca.pem',
    {
      tls: 'verify-ca',
      rootCertificates: '/ca.pem',
    },
  ],
  ['postgres://plinth@db.example/accounts?sslrootcert=system', { rootCertificates: 'system' }],
] as const) {
  test(`an address: ${url}`, () => assert.deepEqual(parseAddress(url), { ...plain, ...difference }));
}

test('what is no address', () => {
  for (const url of [
    'sqlite:plinth.db',
    'postgres:',
    'postgres://db.example/accounts',
    'postgres://plinth@db.example',
    'postgres://plinth@db.example/',
    'postgres://plinth@db.example/accounts/more',
    'postgres://plinth@one.example,two.example:5432,x/accounts',
    'postgres://plinth@db.example:port/accounts',
    'postgres://plinth:100%@db.example/accounts',
    'postgres://plinth@db.example/accounts#part',
    // These would encrypt only where the other side, or whoever stands between, agrees.
    'postgres://plinth@db.example/accounts?sslmode=prefer',
    'postgres://plinth@db.example/accounts?sslmode=allow',
    'postgres://plinth@db.example/accounts?sslmode=',
    'postgres://plinth@db.example/accounts?sslmode=disable&sslmode=verify-full',
    'postgres://plinth@db.example/accounts?uselibpqcompat=true',
    'postgres://plinth@db.example/accounts?host=elsewhere.example',
  ]) {
    assert.equal(parseAddress(url), undefined, url);
  }
});

test('for people, without user and password', () => {
  const described = (url: string) => describeAddress(parseAddress(url) ?? assert.fail());
  assert.equal(described('postgres://a:b@db.example/accounts'), 'accounts at db.example:5432');
  assert.equal(described('postgres://a:b@[::1]:6432/accounts'), 'accounts at [::1]:6432');
  assert.equal(described('postgres://a@%2Frun/accounts'), 'accounts at /run, port 5432');
});
