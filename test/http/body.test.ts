import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { readBody } from '../../src/http/body.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function used(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test('a body that comes byte by byte needs no more memory than its bytes', async () => {
  const stream = new PassThrough();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  readBody(stream, 16_384, resolve, reject);
  const before = used();
  for (let count = 0; count < 16_384; count++) {
    stream.write(Buffer.alloc(1, 97 + (count % 26)));
    if (count % 1000 === 0) await new Promise(setImmediate);
  }
  await new Promise(setImmediate);
  const more = used() - before;
  assert.ok(more < 1_000_000, `${more} bytes more`);
  stream.end();
  const expected = Array.from({ length: 16_384 }, (_, count) => String.fromCharCode(97 + (count % 26)));
  assert.equal((await promise).toString(), expected.join(''));
});

test('with one more byte it is refused', async () => {
  const stream = new PassThrough();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  readBody(stream, 16_384, resolve, reject);
  stream.write(Buffer.alloc(16_384));
  stream.write('x');
  await assert.rejects(promise, { code: 'payload_too_large' });
});
