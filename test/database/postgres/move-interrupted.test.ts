import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { openSource, openTarget } from '../../../src/commands/move.ts';
import type { BulkSource, BulkTarget } from '../../../src/database/bulk.ts';
import { moveRows } from '../../../src/database/move.ts';
import { openDatabase } from '../../../src/database.ts';
import { emptyDatabase, migratedDatabase } from '../../helpers/postgres/databases.ts';
import { contentsOf, fill, moving, newFile, pathOf } from '../moving.ts';
import { onServer, person } from './on-server.ts';

test('what a node has open is not moved', async t => {
  const [from, to] = [await emptyDatabase(), newFile(t)];
  await fill(from, 20);
  const node = await openDatabase(from);
  await node.ping();
  await assert.rejects(
    moving('--from', from, '--to', to),
    /is in use: stop the service first \(processes \d+ /,
  );
  await node.close();

  // And one that comes meanwhile can change nothing, and is told of at the end.
  await using source = await openSource(from, {});
  await using target = await openTarget(to, {});
  const late = new pg.Client({ connectionString: from, application_name: 'plinth' });
  await late.connect();
  t.after(() => late.end());
  await late.query("set lock_timeout = '50ms'");
  await assert.rejects(late.query(person), { code: '55P03' });
  await late.query('select from users');
  await assert.rejects(
    moveRows(source, target),
    /the database test_\w+ at \S+ is in use: stop the service first/,
  );
  await source[Symbol.asyncDispose]();
  await late.query(person);
  assert.ok(!existsSync(pathOf(to)));
});

test('a database that is being filled lets nobody else write', async t => {
  const [from, to] = [newFile(t), await migratedDatabase()];
  await fill(from, 20);
  await using target = await openTarget(to, {});
  await assert.rejects(onServer(to, `set lock_timeout = '50ms'; ${person}`), { code: '55P03' });
  await moveRows(await openSource(from, {}), target);
});

/** Moments at which the connection to the target is cut, by the server's own hand. */
const cuts: Record<string, (source: BulkSource, target: BulkTarget, cut: () => Promise<void>) => void> = {
  'when all rows are there': (source, _, cut) => Object.assign(source, { confirm: cut }),
  'just before the end': (_, target, cut) => {
    const publish = target.publish.bind(target);
    Object.assign(target, { publish: () => cut().then(publish) });
  },
};

for (const [when, arrange] of Object.entries(cuts)) {
  test(`a connection that is cut ${when} leaves nothing, and the next attempt succeeds`, async t => {
    const [from, to] = [newFile(t), await emptyDatabase()];
    await fill(from, 20);
    await using source = await openSource(from, {});
    await using target = await openTarget(to, {});
    const others =
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()';
    arrange(source, target, () => onServer(to, others));
    await assert.rejects(moveRows(source, target), { name: 'DatabaseUnavailable' });
    await source[Symbol.asyncDispose]();
    assert.deepEqual((await contentsOf(to))['users'], []);
    await moving('--from', from, '--to', to);
    assert.deepEqual(await contentsOf(to), await contentsOf(from));
  });
}

test('kill -9 leaves nothing where it was moving to, and the next attempt succeeds', async t => {
  const [first, second, third] = [newFile(t), await emptyDatabase(), newFile(t)];
  await fill(first, 1500);
  for (const [from, to] of [
    [first, second],
    [second, third],
  ] as const) {
    for (const step of [2, 6]) {
      const script = fileURLToPath(new URL('../move-process.ts', import.meta.url));
      const child = spawn(process.execPath, [script, from, to, `${step}`], { stdio: 'inherit' });
      assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
    }
    const left =
      to === second
        ? (await contentsOf(to))['users']
        : readdirSync(dirname(pathOf(to))).filter(file => file === basename(to));
    assert.deepEqual(left, []);
    await moving('--from', from, '--to', to);
    assert.deepEqual(await contentsOf(to), await contentsOf(from));
  }
});
