import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { RecordEvent } from '../events.ts';
import type { Limits } from '../server.ts';

type ConnectionLimits = Pick<Limits, 'connections' | 'stallTimeout' | 'checkEvery'>;

/**
 * Bounds what clients can hold by doing nothing. Over the number of connections a new one is closed, and those that
 * are idle go too, so that the next finds a place. A connection whose client does not take its answer is cut, however
 * steadily it takes a little of it.
 */
export function limitConnections(server: Server, limits: ConnectionLimits, record: RecordEvent): void {
  let dropped = 0;
  const sockets = new Map<Socket, Unread>();
  // Not `maxConnections`: that counts only what the server has taken itself; see listen.ts.
  server.on('connection', socket => {
    if (sockets.size >= limits.connections) {
      dropped++;
      socket.destroy();
      return;
    }
    sockets.set(socket, { since: 0, sent: -1 });
    socket.once('close', () => sockets.delete(socket));
  });
  const look = (): void => {
    const now = performance.now();
    for (const [socket, unread] of sockets) {
      if (socket.writableLength === 0 || socket.bytesWritten !== unread.sent) {
        unread.since = now;
        unread.sent = socket.bytesWritten;
      } else if (now - unread.since > limits.stallTimeout) {
        // Closed in the usual way it would leave what the system has for it there, megabytes, for minutes.
        socket.resetAndDestroy();
      }
    }
    if (dropped === 0) return;
    record('connections_dropped', { dropped, connections: limits.connections });
    dropped = 0;
    server.closeIdleConnections();
  };
  let timer: NodeJS.Timeout | undefined;
  server.on('listening', () => {
    timer = setInterval(look, limits.checkEvery).unref();
  });
  server.on('close', () => clearInterval(timer));
}

/** What the system had no room for when it was looked at last. */
interface Unread {
  /** When it was first seen, in milliseconds on a clock that never jumps. */
  since: number;
  /** Bytes that had been sent, with these: with more of them, an answer has gone out and the next has begun. */
  sent: number;
}
