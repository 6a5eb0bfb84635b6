import { connect } from 'node:net';
import type { Client } from './client.ts';

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: as in client.ts
  readonly body: any;
}

/** Sends bytes as they are and reads until the server has closed the connection. `Connection: close` is up to you. */
export async function sendRaw({ url }: Pick<Client, 'url'>, bytes: string | Uint8Array): Promise<WireAnswer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk);
  } catch (error) {
    // A reset after the answer: the server did not wait for the rest of what was sent.
    if (chunks.length === 0) throw error;
  }
  const [head = '', ...rest] = Buffer.concat(chunks).toString('utf8').split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const text = rest.join('\r\n\r\n');
  const headers = Object.fromEntries(
    lines.map(line => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    text,
    body: headers['content-type']?.includes('json') && text !== '' ? JSON.parse(text) : undefined,
  };
}
