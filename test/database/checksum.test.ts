import assert from 'node:assert/strict';
import test from 'node:test';
import { Checksum } from '../../src/database/checksum.ts';

const noon = new Date('2026-03-01T12:00:00.123Z');
const rows = [
  { id: 'a', name: null, count: 1, at: noon, doc: '{"x":[1,{"b":2,"a":null}]}' },
  { id: 'b', name: 'Ada', count: -1, at: null, doc: null },
];

test('neither the order of rows and columns counts, nor how JSON is spelled', () => {
  const [first, second] = rows;
  const respelled = {
    doc: '{ "x" : [1, {"a":null,"b":2.0}] }',
    at: new Date(noon),
    count: 1,
    name: null,
    id: 'a',
  };
  assert.ok(sum([second, respelled]).equals(sum(rows)));
  assert.equal(sum([second, respelled]).text, sum(rows).text);
  assert.ok(first);
});

/** What has become of the rows. */
const changes: Record<string, readonly object[]> = {
  'one is missing': rows.slice(1),
  'one is there twice': [...rows, ...rows.slice(1)],
  'a null is empty text': [{ ...rows[0], name: '' }, rows[1]].map(row => ({ ...row })),
  'a number is text': [{ ...rows[0], count: '1' }, { ...rows[1] }],
  'a time is a millisecond later': [{ ...rows[0], at: new Date(noon.getTime() + 1) }, { ...rows[1] }],
  'two rows have changed values': [
    { ...rows[0], count: -1 },
    { ...rows[1], count: 1 },
  ],
  'two columns have changed values': [{ ...rows[0] }, { ...rows[1], id: 'Ada', name: 'b' }],
  'an array has another order': [{ ...rows[0], doc: '{"x":[{"b":2,"a":null},1]}' }, { ...rows[1] }],
  'a member of an object is an element': [
    { ...rows[0], doc: '[["x",[1,{"b":2,"a":null}]]]' },
    { ...rows[1] },
  ],
};

for (const [what, changed] of Object.entries(changes)) {
  test(`another checksum: ${what}`, () => {
    assert.ok(!sum(changed).equals(sum(rows)));
    assert.ok(sum(changed).text !== sum(rows).text || sum(changed).rows !== rows.length);
  });
}

function sum(of: readonly (object | undefined)[]): Checksum {
  const checksum = new Checksum(['id', 'name', 'count', 'at', 'doc'], ['doc']);
  for (const row of of) checksum.add({ ...row });
  return checksum;
}
