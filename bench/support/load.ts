/**
 * The load: keep-alive connections that each send a request, wait for its answer and send the next. A process of its own,
 * on plain sockets with requests that are bytes already, so that it costs less than any server it measures. Each message
 * of the parent is a `Load`, each answer a `Measured`.
 */
import { connect } from 'node:net';

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** Whole requests, sent in turn. */
  readonly requests: readonly string[];
}

export interface Measured {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

process.on('message', (load: Load) => {
  run(load).then(
    measured => process.send?.(measured),
    error => {
      process.stderr.write(`${error}\n`);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit());

async function run({ port, connections, seconds, requests }: Load): Promise<Measured> {
  const bytes = requests.map(request => Buffer.from(request, 'latin1'));
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  let next = 0;
  const connection = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let sent = 0;
      const send = (): void => {
        const request = bytes[next++ % bytes.length];
        sent = performance.now();
        if (request) socket.write(request);
      };
      const answer = answerParser(() => {
        const now = performance.now();
        latencies.push(now - sent);
        if (now < end) send();
        else socket.destroy();
      });
      const socket = connect({
        port,
        host: '127.0.0.1',
        noDelay: true,
        // One buffer for all that comes, read before the next arrives.
        onread: { buffer: Buffer.allocUnsafe(65_536), callback: (length, buffer) => answer(length, buffer) },
      });
      socket.once('connect', send).once('error', reject);
      socket.once('close', () => (performance.now() < end ? reject(new Error('closed')) : resolve()));
    });
  await Promise.all(Array.from({ length: connections }, connection));
  const took = (performance.now() - start) / 1000;
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? Number.NaN;
  return { requests: latencies.length, seconds: took, p50: quantile(0.5), p99: quantile(0.99) };
}

const statusAt = Buffer.byteLength('HTTP/1.1 ');
const ok = '200';

/** Calls `done` for every whole answer; throws at any that is not a 200. */
function answerParser(done: () => void): (length: number, buffer: Uint8Array) => boolean {
  let missing = 0;
  return (length, buffer) => {
    if (missing === 0) {
      const answer = Buffer.from(buffer.buffer, buffer.byteOffset, length);
      const head = answer.toString('latin1');
      const bodyAt = head.indexOf('\r\n\r\n') + 4;
      const lengthAt = head.indexOf('content-length: ');
      if (!head.startsWith(ok, statusAt) || bodyAt < 4 || lengthAt < 0 || lengthAt > bodyAt) {
        throw new Error(`not an answer to count:\n${head}`);
      }
      missing = bodyAt + Number.parseInt(head.slice(lengthAt + 16, lengthAt + 24), 10);
    }
    missing -= length;
    if (missing < 0) throw new Error('more came than was asked for');
    if (missing === 0) done();
    return true;
  };
}
