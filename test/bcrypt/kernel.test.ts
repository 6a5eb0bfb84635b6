import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { kernel } from '../../src/bcrypt/kernel.ts';
import { fractionOfPi } from '../../src/bcrypt/pi.ts';
import { oracle, randomCase, seededRandom } from './cases.ts';
import { finish, input, openLanes, pi } from './lanes.ts';
import { encode, parse } from './modular.ts';
import { vectors } from './vectors.ts';

test('the digits of pi are those that the first table of Blowfish begins with', () => {
  assert.equal(Buffer.from(fractionOfPi(16)).toString('hex'), '243f6a8885a308d313198a2e03707344');
  assert.deepEqual(fractionOfPi(64), pi.subarray(0, 64));
});

suite('the kernel computes the published vectors', () => {
  for (const count of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`in ${count} lanes`, () => {
      const { lanes } = openLanes(kernel(count, pi));
      // The costly ones in a few kernels only.
      const chosen = vectors.filter(({ hash }) => parse(hash).cost <= (count % 4 === 0 ? 12 : 6));
      for (let from = 0; from < chosen.length; from += count) {
        const group = chosen.slice(from, from + count);
        group.forEach(({ password, hash }, id) => {
          const { cost, salt } = parse(hash);
          lanes.join(id, input(Buffer.from(password, 'latin1'), salt), cost);
        });
        const digests = finish(lanes, () => 16);
        group.forEach(({ source, password, hash }, id) => {
          assert.equal(
            encode(digests.get(id) ?? new Uint8Array()),
            parse(hash).digest,
            `${source}: ${password}`,
          );
        });
      }
    });
  }
});

suite('a fault in the kernel shows', async () => {
  const random = seededRandom(20);
  const cases = Array.from({ length: 12 }, () => randomCase(random));
  const expected = await Promise.all(cases.map(oracle));

  /** How many of the random cases a kernel gets wrong. */
  function wrong(code: Uint8Array<ArrayBuffer>): number {
    const { lanes } = openLanes(code);
    let count = 0;
    for (let from = 0; from < cases.length; from += 4) {
      for (let id = from; id < from + 4; id++) {
        const { password, salt, cost } = cases[id] ?? assert.fail();
        lanes.join(id, input(password, salt), cost);
      }
      for (const [id, digest] of finish(lanes, () => 7)) if (encode(digest) !== expected[id]) count++;
    }
    return count;
  }

  test('control: there is none', () => assert.equal(wrong(kernel(4, pi)), 0));

  const tables = [
    ['P', 0, 18],
    ['S0', 18, 256],
    ['S1', 18 + 256, 256],
    ['S2', 18 + 512, 256],
    ['S3', 18 + 768, 256],
  ] as const;
  for (const [name, first, length] of tables) {
    test(`one bit of ${name}`, () => {
      for (const word of [first, first + (length >> 1), first + length - 1]) {
        const faulty = pi.slice();
        const byte = 4 * word + random(4);
        faulty[byte] = (faulty[byte] ?? 0) ^ (1 << random(8));
        // Not always all: the first words are replaced before many look-ups meet them.
        assert.notEqual(wrong(kernel(4, faulty)), 0, `word ${word}`);
      }
    });
  }

  test('two rounds exchanged, in one lane of the four', () => {
    const code = kernel(4, pi);
    // i32.const 0, i32.load of a word of lane 3's P array: the subkeys of rounds 6 and 7.
    const subkey = (index: number) => Buffer.from([0x41, 0, 0x28, 2, ...leb128(4192 + 3 * 4312 + 4 * index)]);
    const faulty = Buffer.from(code);
    const place = faulty.lastIndexOf(subkey(6));
    const next = faulty.indexOf(subkey(7), place);
    assert.ok(place > 0 && next > place);
    subkey(7).copy(faulty, place);
    subkey(6).copy(faulty, next);
    assert.equal(wrong(Uint8Array.from(faulty)), cases.length / 4);
  });
});

const leb128 = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)];

suite('nothing stays in memory', () => {
  const canary = Buffer.from('canary in a coal mine');
  const salt = Buffer.from('saltsaltsaltsalt');
  const swapped = Buffer.concat([canary.subarray(0, 20)]).swap32();
  const seen = (memory: Buffer) =>
    memory.includes(canary.subarray(0, 8)) || memory.includes(swapped.subarray(0, 8));

  test('control: the password is there while the lane is busy', () => {
    const { lanes, memory } = openLanes();
    lanes.join(1, input(canary, salt), 4);
    lanes.run(8);
    assert.ok(seen(memory));
  });

  test('of a lane that is done, nor of its input', () => {
    const { lanes, memory } = openLanes();
    const before = Buffer.from(memory);
    const work = input(canary, salt);
    lanes.join(1, work, 4);
    assert.deepEqual(work, new Uint8Array(work.length));
    finish(lanes, () => 16);
    assert.ok(!seen(memory));
    assert.ok(memory.equals(before), 'not a bit of the state either');
  });

  test('of lanes that are dropped, whichever goes first', () => {
    for (const order of [
      [1, 2, 3],
      [3, 1, 2],
      [2, 3, 1],
    ]) {
      const { lanes, memory } = openLanes();
      const before = Buffer.from(memory);
      for (const id of [1, 2, 3]) lanes.join(id, input(canary, salt), 10);
      lanes.run(4);
      for (const id of order) assert.ok(lanes.drop(id));
      assert.ok(!lanes.drop(1), 'it is gone');
      assert.ok(!seen(memory));
      assert.ok(memory.equals(before));
    }
  });
});
