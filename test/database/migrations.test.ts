import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadMigrations, migrationsFolder, pendingMigrations } from '../../src/database/migrations.ts';

const known = ['0001_a', '0002_b', '0003_c'].map(name => ({ name, up: async () => {} }));

test('what is still to be applied', () => {
  const left = (applied: string[]) => pendingMigrations(known, applied).map(({ name }) => name);
  assert.deepEqual(left([]), ['0001_a', '0002_b', '0003_c']);
  assert.deepEqual(left(['0002_b', '0001_a']), ['0003_c']);
  assert.deepEqual(left(['0001_a', '0002_b', '0003_c']), []);
});

for (const { applied, reason } of [
  {
    applied: ['0001_a', '0002_b', '0003_c', '0004_d'],
    reason: /newer than this program.* 0004_d, .* 0003_c$/,
  },
  { applied: ['0001_a', '0002_x'], reason: /another history: this program has no migration 0002_x$/ },
  { applied: ['0001_a', '0003_c'], reason: /another history: migration 0002_b was left out$/ },
  { applied: ['0001_a', '0003_c', '0004_d', '0002_x'], reason: /another history: .* no migration 0002_x$/ },
  { applied: ['0001_a', '0004_d'], reason: /newer/ },
]) {
  test(`refused: ${applied}`, () => {
    assert.throws(() => pendingMigrations(known, applied), reason);
  });
}

test("the project's own are numbered without a gap", async () => {
  const names = (await loadMigrations(migrationsFolder)).map(({ name }) => Number(name.slice(0, 4)));
  assert.deepEqual(
    names,
    names.map((_, index) => index + 1),
  );
});
