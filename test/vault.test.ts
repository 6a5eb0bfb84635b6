import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { createVault } from '../src/vault.ts';

const secret = randomBytes(32);

test('what is sealed opens with the same secret and purpose, and is not to be read', () => {
  const vault = createVault(secret);
  const sealed = vault.seal('the private half', 'a purpose');
  assert.equal(createVault(secret).open(sealed, 'a purpose'), 'the private half');
  assert.doesNotMatch(sealed, /private/);
  assert.doesNotMatch(Buffer.from(sealed.split('.')[2] ?? '', 'base64url').toString('latin1'), /private/);
  assert.notEqual(vault.seal('the private half', 'a purpose'), sealed);
});

test('it opens with no other secret, for no other purpose, and not when a single bit is another', () => {
  const vault = createVault(secret);
  const sealed = vault.seal('the private half', 'a purpose');
  assert.throws(() => createVault(randomBytes(32)).open(sealed, 'a purpose'));
  assert.throws(() => vault.open(sealed, 'another purpose'));
  assert.throws(() => vault.open('', 'a purpose'));
  assert.throws(() => vault.open(sealed.replace(/^v1/, 'v2'), 'a purpose'), /version/);
  const [version, nonce = '', body = ''] = sealed.split('.');
  const flips = Buffer.from(body, 'base64url');
  for (let bit = 0; bit < flips.length * 8; bit++) {
    const changed = Buffer.from(flips);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => vault.open([version, nonce, changed.toString('base64url')].join('.'), 'a purpose'));
  }
  for (let length = 0; length < flips.length; length++) {
    assert.throws(() =>
      vault.open([version, nonce, flips.subarray(0, length).toString('base64url')].join('.'), 'a purpose'),
    );
  }
});

test('the secret before still opens, and seals nothing more', () => {
  const next = randomBytes(32);
  const old = createVault(secret);
  const both = createVault(next, secret);
  assert.equal(both.open(old.seal('x', 'p'), 'p'), 'x');
  assert.equal(createVault(next).open(both.seal('x', 'p'), 'p'), 'x');
  assert.throws(() => old.open(both.seal('x', 'p'), 'p'));
  assert.ok(both.matches(old.fingerprint) && both.matches(both.fingerprint));
  assert.ok(!old.matches(both.fingerprint) && !createVault(next).matches(old.fingerprint));
  for (const other of ['', 'x', `${old.fingerprint}x`]) assert.ok(!old.matches(other));
});
