import { connect } from 'node:net';

export interface Poured {
  /** What the server said, as text. */
  readonly answer: string;
  /** Bytes handed to the system, which may have kept some of them. */
  readonly sent: number;
}

/**
 * Sends a head and then the same bytes over and over, as fast as they are taken, until the other side closes the connection
 * or `atMost` bytes are out. Resolves when the connection is over.
 */
export function pour(port: number, head: string, again: string, atMost = 256 * 1024 ** 2): Promise<Poured> {
  const piece = Buffer.from(again.repeat(Math.ceil(65_536 / again.length)), 'latin1');
  const chunks: Buffer[] = [];
  const socket = connect(port, '127.0.0.1');
  let sent = 0;
  const push = (): void => {
    while (socket.writable && sent < atMost) {
      sent += piece.length;
      if (!socket.write(piece)) return;
    }
    if (sent >= atMost) socket.destroy();
  };
  socket.on('drain', push).on('data', (chunk: Buffer) => chunks.push(chunk));
  // The server closes while bytes are on their way to it, which is a reset or a broken pipe here.
  socket.on('error', () => undefined);
  socket.write(head, 'latin1');
  push();
  const { promise, resolve } = Promise.withResolvers<Poured>();
  socket.on('close', () => resolve({ answer: Buffer.concat(chunks).toString(), sent }));
  return promise;
}

/** Sends bytes as they are; everything that came back when the other side has closed the connection. */
export async function converse(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(bytes, 'latin1');
  await new Promise(resolve => socket.on('close', resolve));
  return Buffer.concat(chunks).toString();
}
