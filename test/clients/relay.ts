import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

/** Stands between a client and the service, as the network does. */
export interface Relay {
  readonly url: string;
  /** Every request so far, with what the service said: `GET /me 200`. */
  readonly seen: string[];
  /** The next answer to this path does not arrive; resolves to what it was. */
  loseNext(path: string): Promise<string>;
  /** The next request to this path does not reach the service. */
  refuseNext(path: string): void;
}

export async function startRelay(t: TestContext, target: string): Promise<Relay> {
  const seen: string[] = [];
  const lost = new Map<string, (answer: string) => void>();
  const refused = new Set<string>();

  async function forward(path: string, init: RequestInit, response: ServerResponse): Promise<void> {
    if (refused.delete(path)) {
      seen.push(`${init.method} ${path} 503`);
      response.writeHead(503, { 'content-type': 'application/problem+json' });
      response.end('{"code":"unavailable"}');
      return;
    }
    const answer = await fetch(target + path, init);
    const text = await answer.text();
    seen.push(`${init.method} ${path} ${answer.status}`);
    const lose = lost.get(path);
    lost.delete(path);
    if (lose) {
      response.destroy();
      lose(text);
      return;
    }
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    response.end(text);
  }

  const server = createServer(async ({ method = '', url = '', headers }, response) => {
    const body = await buffer(response.req);
    const { authorization, 'content-type': type } = headers;
    await forward(
      url,
      {
        method,
        headers: { ...(authorization && { authorization }), ...(type && { 'content-type': type }) },
        body: body.length > 0 ? new Uint8Array(body) : null,
      },
      response,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    loseNext: path => new Promise(resolve => lost.set(path, resolve)),
    refuseNext: path => void refused.add(path),
  };
}
