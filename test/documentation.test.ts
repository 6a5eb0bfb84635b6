import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { ConfigFaults, readConfig } from '../src/config.ts';
import { events } from '../src/events.ts';
import { canonicalEmail } from '../src/users/email.ts';
import { read, root, tableOf } from './helpers/pages.ts';

const pages = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...readdirSync(new URL('docs/', root), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.md'))
    .map(file => `docs/${file}`),
];

test('every link of the pages leads somewhere, and every page is led to', () => {
  assert.ok(pages.length > 8);
  const reached = new Set(['README.md']);
  for (const page of pages) {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https:\/\//.test(target)) continue;
      const [path = '', fragment] = target.split('#');
      const url = new URL(path, new URL(page, root));
      assert.ok(existsSync(url), `${page}: ${target}`);
      if (fragment) assert.ok(anchors(readFileSync(url, 'utf8')).includes(fragment), `${page}: ${target}`);
      reached.add(url.pathname.slice(root.pathname.length));
    }
  }
  assert.deepEqual(
    pages.filter(page => !reached.has(page)),
    [],
  );
});

test('every file that a page names is there', () => {
  let count = 0;
  for (const page of pages) {
    // The worked example names files that are yet to be written.
    const text = page === 'docs/adding-a-resource.md' ? '' : read(page);
    for (const [, file = ''] of text.matchAll(/`((?:bench|bin|docs|migrations|src|test)\/[\w./-]*)`/g)) {
      assert.ok(existsSync(new URL(file, root)), `${page}: ${file}`);
      count++;
    }
  }
  assert.ok(count > 50);
});

test('docs/settings.md has every setting, with its default and its limits', () => {
  const documented = tableOf(read('docs/settings.md'), 'name');
  const asked = new Set<string>();
  readConfig(new Proxy({}, { get: (_, name) => void asked.add(String(name)) }));
  assert.deepEqual(documented.map(([name]) => name).sort(), [...asked].sort());

  const defaults = readConfig({});
  for (const [name = '', value = '', allowed = ''] of documented) {
    if (value !== 'none') assert.deepEqual(readConfig({ [name]: value }), defaults, name);
    const [, from, to] = /^(\d+) to (\d+)$/.exec(allowed) ?? [];
    if (from === undefined) continue;
    for (const limit of [from, to ?? '']) readConfig({ [name]: limit });
    for (const beyond of [Number(from) - 1, Number(to) + 1])
      assert.throws(() => readConfig({ [name]: String(beyond) }), ConfigFaults, `${name}=${beyond}`);
  }
});

test('docs/logging.md has every event, with its level', () => {
  const documented = tableOf(read('docs/logging.md'), 'event').map(([name, level]) => [name, level]);
  assert.deepEqual(
    documented.sort(),
    Object.entries(events)
      .map(([name, [level]]) => [name, level])
      .sort(),
  );
});

test('docs/asvs.md has every requirement of its chapters once, and its tests are there by file and title', () => {
  const rows = ['V6', 'V7', 'V8', 'V9', 'V16'].flatMap(chapter => tableOf(read('docs/asvs.md'), chapter));
  assert.deepEqual(
    rows.map(([number]) => number),
    requirements(),
  );
  for (const [number = '', level = '', , state = '', shown = ''] of rows) {
    assert.match(level, /^[123]$/, number);
    assert.match(state, /^(yes|partly|no|–)$/, number);
    const { tests, missing } = namedTests(shown);
    assert.deepEqual(missing, [], number);
    if (state === 'yes') assert.ok(tests > 0 || /\]\(/.test(shown), `${number} is shown by nothing`);
  }
});

test('a test that is named and not there is seen', () => {
  const { tests, missing } = namedTests(
    'test/config.test.ts: *all faults are told at once*, test/config.test.ts: *no such title*, test/no.test.ts: *x*',
  );
  assert.deepEqual([tests, missing], [3, ['test/config.test.ts: no such title', 'test/no.test.ts: x']]);
});

test('addresses are told apart as docs/security.md says', () => {
  const rows = tableOf(read('docs/security.md'), 'given');
  assert.ok(rows.length >= 10);
  for (const [given = '', canonical = ''] of rows) assert.equal(canonicalEmail(given), canonical);
});

test('the table of promises in docs/security.md names tests', () => {
  const rows = tableOf(read('docs/security.md'), 'promise');
  assert.ok(rows.length > 20);
  for (const [promise = '', tests = ''] of rows) assert.match(tests, /^test\/\S+\.test\.ts/, promise);
});

/** By section, how many requirements the chapters of ASVS 5.0.0 have. */
const sections = {
  6: [3, 12, 8, 6, 8, 4, 2, 4],
  7: [3, 4, 2, 5, 3, 2],
  8: [4, 4, 3, 2],
  9: [3, 4],
  16: [1, 5, 4, 3, 4],
};

function requirements(): string[] {
  return Object.entries(sections).flatMap(([chapter, counts]) =>
    counts.flatMap((count, section) =>
      Array.from({ length: count }, (_, i) => `${chapter}.${section + 1}.${i + 1}`),
    ),
  );
}

/** How many tests a cell names, as a file and a title, and which of them there are not. */
function namedTests(cell: string): { readonly tests: number; readonly missing: readonly string[] } {
  const named = [...cell.matchAll(/(test\/[\w./-]+\.test\.ts): \*([^*]+)\*/g)];
  const missing = named.filter(([, file = '', title = '']) => {
    const quoted = ["'", '`'].map(quote => `test(${quote}${title}${quote}`);
    return !existsSync(new URL(file, root)) || !quoted.some(start => read(file).includes(start));
  });
  return { tests: named.length, missing: missing.map(([, file, title]) => `${file}: ${title}`) };
}

/** As GitHub makes them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );
}
