import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { emptyDatabase } from '../../helpers/postgres/databases.ts';
import { contentsOf, fill, moving, newFile } from '../moving.ts';

/** Moves so many people to PostgreSQL and back by the operator's command, and compares every row. */
export async function moveThereAndBack(t: TestContext, people: number): Promise<void> {
  const [first, second, third] = [newFile(t), await emptyDatabase(), newFile(t)];
  await fill(first, people);
  const there = await moving('--from', first, '--to', second);
  const before = await contentsOf(first);
  assert.deepEqual(await contentsOf(second), before);
  const back = await moving('--from', second, '--to', third);
  assert.deepEqual(await contentsOf(third), before);
  const sums = (lines: readonly string[]) => lines.filter(line => / rows {2}[0-9a-f]{64}$/.test(line)).sort();
  assert.deepEqual(sums(there), sums(back));
  assert.ok(there.some(line => new RegExp(`^users +${people} rows `).test(line)));
}
