import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { buildApp } from '../../src/app.ts';
import { startNodes } from '../helpers/nodes.ts';

const atOnce = 16;

/**
 * Two people take turns at two nodes, `count` requests in all, many at the same time; between them come tokens that are made of both
 * of theirs. Throws when anybody gets anything but their own.
 */
export async function alternate(t: TestContext, count: number): Promise<void> {
  const { a, b } = await startNodes(t, { settings: { LOG_LEVEL: 'silent' } });
  const people = [await a.person(), await b.person()];
  const [first, second] = await Promise.all([buildApp(a.world), buildApp(b.world)]);
  t.after(() => Promise.all([first.close(), second.close()]));
  const parts = people.map(({ token }) => token.split('.'));
  const mixed = [
    [parts[0]?.[0], parts[0]?.[1], parts[1]?.[2]].join('.'),
    [parts[0]?.[0], parts[1]?.[1], parts[0]?.[2]].join('.'),
  ];

  async function ask(turn: number): Promise<void> {
    const node = (turn >> 1) % 2 === 0 ? first : second;
    const person = people[turn % 2];
    const isMixed = turn % 10 === 9;
    const token = isMixed ? mixed[(turn >> 2) % 2] : person?.token;
    const answer = await node.inject({
      method: 'GET',
      url: '/me',
      headers: { authorization: `Bearer ${token}` },
    });
    const { id, email, code } = answer.json();
    if (isMixed) assert.equal(code, 'invalid_token', `turn ${turn}`);
    else assert.deepEqual([id, email], [person?.id, person?.email], `turn ${turn}`);
  }

  for (let turn = 0; turn < count; turn += atOnce) {
    await Promise.all(Array.from({ length: Math.min(atOnce, count - turn) }, (_, next) => ask(turn + next)));
  }
}
