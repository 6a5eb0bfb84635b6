import { once } from 'node:events';
import { connect } from 'node:net';
import type { FixedAnswer } from './bare.ts';

/** As a small client sends it. */
export function rawRequest(path: string, token?: string): string {
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`;
  return `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n${authorization}\r\n`;
}

/** Node adds these to whatever is sent. */
const added = /^(date|connection|keep-alive)$/i;

/** One exchange, in bytes: what came, ready to be sent by another server, and how long it was. */
export async function rawAnswer(
  port: number,
  request = '',
): Promise<FixedAnswer & { readonly bytes: number }> {
  const socket = connect({ port, host: '127.0.0.1' }).setEncoding('utf8');
  socket.write(request);
  const [text] = (await once(socket, 'data')) as [string];
  socket.destroy();
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = lines.map(line => line.split(/: (.*)/s, 2)).filter(([name = '']) => !added.test(name));
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: headers.flat(),
    body,
    bytes: Buffer.byteLength(text),
  };
}
