import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { fold, loadBlocklist, parseBlocklist } from '../../src/users/blocklist.ts';
import { composeBlocklist } from '../../src/users/make-blocklist.ts';

const file = readFileSync(new URL('../../src/users/blocklist.txt', import.meta.url));
const entries = file.toString().split('\n').slice(0, -1);
const listed = new Set(entries);

suite('the file', () => {
  test('is UTF-8 lines, each folded and long enough to be chosen', () => {
    assert.deepEqual(Buffer.from(`${entries.join('\n')}\n`), file);
    assertNone(
      entries.filter(entry => entry !== fold(entry) || [...entry].length < 8 || /\p{Cc}|\uFFFD/u.test(entry)),
    );
  });

  test('is sorted bytewise, without doubles', () => {
    const sorted = entries.map(entry => Buffer.from(entry));
    const misplaced = entries.filter(
      (_, i) => i > 0 && Buffer.compare(at(sorted, i - 1), at(sorted, i)) >= 0,
    );
    assertNone(misplaced);
  });

  test('is the one that blocklist.md describes', () => {
    const description = readFileSync(new URL('../../src/users/blocklist.md', import.meta.url), 'utf8');
    assert.ok(description.includes(` ${entries.length.toLocaleString('en')} passwords`));
    assert.ok(description.includes(createHash('sha256').update(file).digest('hex')));
  });

  test('holds the 100,000 most used and a few thousand more at most', () => {
    assert.ok(entries.length >= 100_000 && entries.length < 105_000, `${entries.length} entries`);
    const notorious = [
      'password',
      '12345678',
      'qwertyuiop',
      '1q2w3e4r5t',
      'iloveyou',
      'p@ssw0rd',
      'password42',
    ];
    assertNone(notorious.filter(password => !listed.has(password)));
  });
});

suite('look-up', () => {
  const blocklist = loadBlocklist();

  test('finds every entry, the first and the last too', () => {
    assertNone(entries.filter(entry => !blocklist.has(entry)));
    assert.ok(blocklist.has(at(entries, 0)) && blocklist.has(at(entries, entries.length - 1)));
  });

  test('finds every entry in other letter case', () => {
    assertNone(entries.filter(entry => !blocklist.has(entry.toUpperCase())));
    assert.ok(blocklist.has('PassWord1'));
  });

  test('does not find an entry lengthened by ten characters', () => {
    const lengthened = entries.map(
      entry => entry + createHash('sha256').update(entry).digest('hex').slice(0, 10),
    );
    assertNone(lengthened.filter(password => blocklist.has(password)));
  });

  test('finds neither the empty password nor one with line feeds in it', () => {
    const first = at(entries, 0);
    const second = at(entries, 1);
    const injected = [
      '',
      '\n',
      '\n\n',
      `${first}\n`,
      `\n${first}`,
      `${first}\n${second}`,
      `${first}\0`,
      `${first} `,
    ];
    assertNone(injected.filter(password => blocklist.has(password)));
    assert.ok(!blocklist.has(file.toString()));
  });

  test('agrees with a set of the entries on their neighbours', () => {
    const near = fc
      .tuple(fc.constantFrom(...entries), fc.nat(30), fc.nat(2), fc.string({ unit: 'binary', maxLength: 2 }))
      .map(([entry, index, drop, insert]) => entry.slice(0, index) + insert + entry.slice(index + drop));
    fc.assert(
      fc.property(near, password => blocklist.has(password) === listed.has(fold(password))),
      { numRuns: 20_000 },
    );
  });
});

suite('any list', () => {
  const units = fc.constantFrom('a', 'B', 'é', 'e\u0301', 'ß', 'İ', 'J\u030C', 'Σ', '\t', '\uFF5E', '😀');
  const password = fc.string({ unit: units, maxLength: 12 });

  test('is composed so that exactly its entries are found, in any case and Unicode form', () => {
    fc.assert(
      fc.property(fc.array(password, { minLength: 1 }), fc.array(password), (chosen, others) => {
        const lines = composeBlocklist(chosen, ['password']);
        const expected = new Set([...chosen, 'password'].map(fold).filter(entry => [...entry].length >= 8));
        const blocklist = parseBlocklist(lines);
        for (const tried of [...chosen, ...others]) {
          for (const form of [tried, tried.normalize('NFD'), tried.normalize('NFC')]) {
            assert.equal(blocklist.has(form), expected.has(fold(tried)), JSON.stringify(form));
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('knows a password in a decomposed form and in upper case', () => {
    const blocklist = parseBlocklist(composeBlocklist(['caf\u00E9 noir', '\u01F0abcdefg'], []));
    for (const password of ['cafe\u0301 noir', 'CAF\u00C9 NOIR', 'CAFE\u0301 NOIR', 'J\u030CABCDEFG']) {
      assert.ok(blocklist.has(password), password);
    }
    assert.ok(!blocklist.has('cafe noir'));
  });

  test('takes the most used first, counting neither short ones nor those already taken', () => {
    const ranked = ['123456', 'Password', 'zyxwvuts', 'PASSWORD', 'abcdefgh', 'too rare 1'];
    const lines = composeBlocklist(ranked, ['zyxwvuts', 'Common 12', 'short'], 3);
    assert.equal(lines.toString(), 'abcdefgh\ncommon 12\npassword\nzyxwvuts\n');
  });

  test('sorts by bytes, not by UTF-16 units, and a prefix before what it begins', () => {
    const lines = composeBlocklist(['abcdefgh😀', 'abcdefgh\uFF5E', 'abcdefgh\t', 'abcdefgh'], []);
    assert.equal(lines.toString(), 'abcdefgh\nabcdefgh\t\nabcdefgh\uFF5E\nabcdefgh😀\n');
  });

  test('is refused when cut short, empty, or with converted line ends', () => {
    for (const damaged of ['', 'password', 'password\npasswo', 'password\r\npassword1\r\n']) {
      assert.throws(() => parseBlocklist(Buffer.from(damaged)), /damaged/);
    }
    assert.ok(parseBlocklist(Buffer.from('password\npassword1\n')).has('password'));
  });
});

/** A comparison of whole lists would take minutes to print its difference. */
function assertNone(offenders: readonly string[]): void {
  assert.deepEqual(offenders.slice(0, 10), []);
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  assert.ok(item !== undefined);
  return item;
}
