import type { Readable } from 'node:stream';
import { tooLarge } from './bounds.ts';

/**
 * Calls `use` with the bytes of a body, of which there may be `limit`, or else `fail`, and neither where the connection is
 * over before: there is nobody to tell. They are copied as they come: a piece that Node gives out costs some 400 bytes
 * besides its own, and every byte can be one.
 */
export function readBody(
  stream: Readable,
  limit: number,
  use: (bytes: Buffer) => void,
  fail: (error: Error) => void,
): void {
  let bytes = Buffer.alloc(0);
  let length = 0;
  stream.on('data', onData).on('end', onEnd).on('error', leave);

  function onData(piece: Buffer): void {
    const end = length + piece.length;
    if (end > limit) {
      leave();
      fail(tooLarge(limit));
      return;
    }
    if (end > bytes.length) {
      // Not of the pool, of which a few bytes would keep a whole block.
      const larger = Buffer.allocUnsafeSlow(length === 0 ? end : Math.min(limit, 2 * end));
      bytes.copy(larger, 0, 0, length);
      bytes = larger;
    }
    piece.copy(bytes, length);
    length = end;
  }

  function onEnd(): void {
    leave();
    use(bytes.subarray(0, length));
  }

  function leave(): void {
    stream.off('data', onData).off('end', onEnd).off('error', leave);
  }
}
