import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { RecordEvent } from '../events.ts';
import type { Limits } from '../server.ts';

type ConnectionLimits = Pick<Limits, 'connections' | 'stallTimeout' | 'checkEvery'>;

/**
 * Bounds what clients can hold by doing nothing. Over the number of connections a new one is closed, and those that
 * are idle go too, so that the next finds a place. A connection whose client does not take its answer is cut.
 */
export function limitConnections(server: Server, limits: ConnectionLimits, record: RecordEvent): void {
  let dropped = 0;
  const sockets = new Set<Socket>();
  // Not `maxConnections`: that counts only what the server has taken itself; see listen.ts.
  server.on('connection', socket => {
    if (sockets.size >= limits.connections) {
      dropped++;
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const look = (): void => {
    for (const socket of sockets) watchUnread(socket, limits.stallTimeout);
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

/**
 * Starts the socket's own timer, which knows whether the system takes bytes, once some are left over. Node replaces it
 * by that of keep-alive as soon as the answer is out, and ends the connection when it expires.
 */
function watchUnread(socket: Socket, timeout: number): void {
  if (socket.writableLength > 0 && socket.timeout !== timeout) socket.setTimeout(timeout);
}
