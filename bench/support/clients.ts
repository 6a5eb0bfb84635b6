/**
 * Clients on keep-alive connections: each sends a request, waits for its answer and, after a pause, sends the next. Those that
 * renew a session send what the last answer gave them. A process of its own; each message of the parent is a `Clients`, each
 * answer a `Served`.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { openConnection, rawPost } from './connection.ts';
import { rawRequest } from './exchange.ts';

export interface Clients {
  readonly port: number;
  readonly seconds: number;
  /** Asks `GET /me` with access tokens, or renews sessions with refresh tokens. */
  readonly ask: 'me' | 'refresh';
  /** One client for each. */
  readonly tokens: readonly string[];
  /** Milliseconds between an answer and the next request. */
  readonly pause: number;
}

export interface Served {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** What each client has now. */
  readonly tokens: readonly string[];
}

process.on('message', (clients: Clients) => {
  run(clients).then(
    served => process.send?.(served),
    error => {
      process.stderr.write(`${error}\n`);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit());

async function run({ port, seconds, ask, tokens, pause: rest }: Clients): Promise<Served> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const client = async (first: string): Promise<string> => {
    await using connection = await openConnection(port);
    let token = first;
    while (performance.now() < end) {
      const sent = performance.now();
      const request = ask === 'me' ? rawRequest('/me', token) : rawPost('/refresh', { refresh_token: token });
      const { status, body } = await connection.exchange(request);
      if (status !== 200) throw new Error(`not an answer to count: ${status} ${body}`);
      latencies.push(performance.now() - sent);
      if (ask === 'refresh') token = JSON.parse(body).refresh_token;
      if (rest > 0) await pause(rest);
    }
    return token;
  };
  const last = await Promise.all(tokens.map(client));
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? Number.NaN;
  return {
    requests: latencies.length,
    seconds: (performance.now() - start) / 1000,
    p50: quantile(0.5),
    p99: quantile(0.99),
    tokens: last,
  };
}
