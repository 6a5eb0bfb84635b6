import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { DatabaseRefused, DatabaseUnavailable, openDatabase } from '../../../src/database.ts';
import { migratedDatabase } from '../../helpers/postgres/databases.ts';
import { names } from '../support.ts';

const openssl = (folder: string, ...words: string[]) =>
  execFileSync('openssl', words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });

/** A CA, and a certificate of it for each of the names. */
function makeCertificates(folder: string, subjects: Readonly<Record<string, string>>): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  for (const ca of ['ca', 'other-ca'])
    openssl(
      folder,
      'req',
      '-x509',
      ...key,
      '-subj',
      `/CN=${ca}`,
      '-keyout',
      `${ca}.key`,
      '-out',
      `${ca}.pem`,
    );
  for (const [name, subject] of Object.entries(subjects)) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key'];
    const extension = [
      '-addext',
      `subjectAltName=${subject}`,
      '-addext',
      'basicConstraints=critical,CA:false',
    ];
    openssl(folder, 'req', '-x509', ...key, ...signer, '-subj', '/CN=server', ...extension, ...files);
  }
}

/** A server of PostgreSQL's protocol that asks for TLS and passes on what is in it; where it listens. */
async function startTls(t: TestContext, target: URL, certificate: string): Promise<number> {
  const options = {
    isServer: true,
    cert: readFileSync(join(folder, `${certificate}.pem`)),
    key: readFileSync(join(folder, `${certificate}.key`)),
  };
  const server = createServer(plain => {
    plain.on('error', () => undefined);
    plain.once('data', () => {
      plain.write('S');
      const secure = new TLSSocket(plain, options);
      const upstream = connect(Number(target.port), target.hostname);
      upstream.on('error', () => secure.destroy());
      secure.on('error', () => upstream.destroy());
      secure.on('close', () => upstream.destroy());
      secure.pipe(upstream).pipe(secure);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address !== 'string');
  return address.port;
}

const byName = 'DNS:localhost';
const byAddress = 'IP:127.0.0.1';
const elsewhere = 'DNS:db.example,IP:127.0.0.2';

const folder = mkdtempSync(join(tmpdir(), 'plinth-tls-'));
before(() => makeCertificates(folder, { byName, byAddress, elsewhere }));
after(() => rmSync(folder, { recursive: true }));

for (const { mode, ca, certificate, host = '127.0.0.1', is } of [
  { mode: 'verify-full', ca: 'ca', certificate: 'byName', host: 'localhost', is: 'taken' },
  { mode: 'verify-full', ca: 'ca', certificate: 'byAddress', is: 'taken' },
  { mode: 'verify-full', ca: 'ca', certificate: 'byName', is: 'refused' },
  { mode: 'verify-full', ca: 'ca', certificate: 'byAddress', host: 'localhost', is: 'refused' },
  { mode: 'verify-full', ca: 'ca', certificate: 'elsewhere', is: 'refused' },
  { mode: 'verify-full', ca: 'other-ca', certificate: 'byAddress', is: 'refused' },
  { mode: 'verify-full', certificate: 'byAddress', is: 'refused' },
  { mode: 'verify-ca', ca: 'ca', certificate: 'elsewhere', is: 'taken' },
  { mode: 'verify-ca', ca: 'other-ca', certificate: 'byAddress', is: 'refused' },
  { mode: 'require', certificate: 'elsewhere', is: 'taken' },
  { mode: 'require', ca: 'other-ca', certificate: 'byAddress', is: 'refused' },
] satisfies Case[]) {
  test(`${mode} to ${host}, trusting ${ca ?? 'what Node trusts'}: a certificate ${certificate} is ${is}`, async t => {
    const target = new URL(await migratedDatabase());
    const url = new URL(target);
    url.host = `${host}:${await startTls(t, target, certificate)}`;
    url.searchParams.set('sslmode', mode);
    if (ca) url.searchParams.set('sslrootcert', join(folder, `${ca}.pem`));
    const opening = openDatabase(url.href);
    if (is === 'refused') {
      await assert.rejects(opening, error => {
        assert.ok(error instanceof DatabaseRefused);
        assert.match(error.message, /is not proven to be the one that was meant/);
        return true;
      });
      return;
    }
    const database = await opening;
    t.after(() => database.close());
    assert.deepEqual(await names(database), []);
  });
}

interface Case {
  readonly mode: 'require' | 'verify-ca' | 'verify-full';
  readonly ca?: 'ca' | 'other-ca';
  readonly certificate: 'byName' | 'byAddress' | 'elsewhere';
  readonly host?: string;
  readonly is: 'taken' | 'refused';
}

test('a server without TLS, and certificates that cannot be read, are not worked with', async () => {
  const url = new URL(await migratedDatabase());
  url.searchParams.set('sslmode', 'verify-full');
  await assert.rejects(openDatabase(url.href), DatabaseUnavailable);
  url.searchParams.set('sslrootcert', join(folder, 'absent.pem'));
  await assert.rejects(openDatabase(url.href), DatabaseRefused);
});
