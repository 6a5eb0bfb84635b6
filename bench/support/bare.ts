/**
 * The least that `node:http` can do: for each URL it sends what it was told at its start, byte for byte. Its parent sends
 * the answers as a message and gets the port.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FixedAnswer {
  readonly status: number;
  /** Names and values by turns, without those that Node adds itself. */
  readonly headers: readonly string[];
  readonly body: string;
}

process.once('message', (answers: Record<string, FixedAnswer>) => {
  // Text goes out in one write with its headers, bytes would take two.
  const byUrl = new Map(
    Object.entries(answers).map(([url, { status, headers, body }]) => [
      url,
      { status, headers: [...headers], body },
    ]),
  );
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    const answer = byUrl.get(request.url ?? '');
    if (!answer) throw new Error(`nothing was told about ${request.url}`);
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
});
process.once('disconnect', () => process.exit());
