/**
 * A model of power loss: of the log, only what a finished sync covered is certain to be on the disk; of what was written
 * after, each sector may be there or not. The database file itself changes at checkpoints alone, of which there are
 * none here (`trace-power-loss.ts` has them).
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { isUniqueViolation, openDatabase } from '../../../src/database.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { insertUser, names, randomFrom } from '../support.ts';
import { directly, open } from './support.ts';

test('power loss at any moment loses nothing that was acknowledged', async t => {
  let told = 0;
  for (let seed = 1; seed <= 4; seed++) {
    const crashes = await run(t, seed, 'sync, then acknowledge');
    for (const { lost, acknowledged } of crashes) {
      assert.deepEqual(lost, [], `seed ${seed}`);
      told += acknowledged;
    }
  }
  assert.ok(told > 1000, `the model has to have something to lose: ${told}`);
});

test('control: acknowledging before the sync ends loses some', async t => {
  const crashes = await run(t, 1, 'acknowledge, then sync');
  assert.ok(crashes.some(({ lost }) => lost.length > 0));
});

interface Crash {
  readonly acknowledged: number;
  readonly lost: string[];
}

async function run(t: TestContext, seed: number, order: 'sync, then acknowledge' | 'acknowledge, then sync') {
  const random = randomFrom(seed);
  const { database: first, path } = await open(t);
  await first.close();
  const pristine = join(temporaryFolder(t), 'pristine.db');
  copyFileSync(path, pristine);

  const log = () => readFileSync(`${path}-wal`);
  let durable: Buffer = Buffer.alloc(0);
  const sync = async () => {
    const written = log();
    const disk = (async () => {
      for (let turns = random() * 8; turns > 0; turns--) await turn();
      durable = written;
    })();
    if (order === 'sync, then acknowledge') await disk;
  };
  const database = await openDatabase(`sqlite:${path}`, { sync });
  durable = log();

  const acknowledged: string[] = [];
  const images: { durable: Buffer; written: Buffer; acknowledged: string[] }[] = [];
  let writing = true;
  const writer = async (_: unknown, me: number) => {
    for (let n = 0; n < 30; n++) {
      // Two writers share each name: for one of them the answer is "taken", which has to be as true.
      const name = `${me >> 1}-${n}`;
      const outcome = await insertUser(database, name).catch(error => error);
      assert.ok(
        outcome === undefined || isUniqueViolation(outcome, 'users.email_canonical'),
        String(outcome),
      );
      acknowledged.push(name);
      if (random() < 0.5) await turn();
    }
  };
  const crashing = (async () => {
    while (writing) {
      await turn();
      if (random() < 0.1) images.push({ durable, written: log(), acknowledged: [...acknowledged] });
    }
  })();
  await Promise.all(Array.from({ length: 8 }, writer));
  writing = false;
  await crashing;
  await database.close();

  const crashes: Crash[] = [];
  for (const image of images) {
    const survivor = join(temporaryFolder(t), 'data', 'plinth.db');
    mkdirSync(join(survivor, '..'));
    copyFileSync(pristine, survivor);
    writeFileSync(`${survivor}-wal`, torn(image.durable, image.written, random));
    const { database: reopened } = await open(t, {}, survivor);
    const found = new Set(await names(reopened));
    await reopened.close();
    const [sound] = directly(survivor, raw => raw.prepare('pragma integrity_check').all());
    assert.deepEqual({ ...sound }, { integrity_check: 'ok' });
    const lost = image.acknowledged.filter(name => !found.has(name));
    crashes.push({ acknowledged: image.acknowledged.length, lost });
  }
  return crashes;
}

/** What the disk may hold: everything durable, and of what was written since any sectors and any length. */
function torn(durable: Buffer, written: Buffer, random: () => number): Buffer {
  assert.deepEqual(written.subarray(0, durable.length), durable, 'the log only grows');
  const image = Buffer.from(written);
  for (let at = durable.length; at < image.length; at += 512)
    if (random() < 0.3) image.fill(0, at, Math.min(at + 512, image.length));
  return image.subarray(0, durable.length + Math.floor(random() * (image.length - durable.length + 1)));
}
