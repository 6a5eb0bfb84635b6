import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Routes } from './routes.ts';

/** Bytes that are read, and thrown away, of what a client sends after its last answer. */
const maxDiscarded = 8 * 1024 ** 2;

/**
 * How a connection ends after its last answer where the client may still be sending. Closed while something on it is unread,
 * it would end with a reset, and the client would never see the answer (RFC 9112, section 9.6). So we send no more, and
 * throw away what comes until the client closes its side too, for so many milliseconds at most. A service that closes
 * waits for nobody.
 */
export function lingerAtTheEnd(app: Routes, timeout: number): void {
  const lingering = new Set<Socket>();
  let closing = false;

  function linger(socket: Socket): void {
    lingering.add(socket);
    const timer = setTimeout(() => socket.destroy(), timeout);
    socket.once('close', () => {
      clearTimeout(timer);
      lingering.delete(socket);
    });
    discard(socket);
    socket.end();
  }

  /** Node ends a connection by this function after its last answer. */
  function replaceEnd(socket: Socket, request?: IncomingMessage): void {
    socket.destroySoon = () => {
      if (closing || request?.complete) Socket.prototype.destroySoon.call(socket);
      else linger(socket);
    };
  }

  app.server.on('request', request => {
    const { 'transfer-encoding': coding, 'content-length': length } = request.headers;
    if (coding !== undefined || length !== undefined) replaceEnd(request.socket, request);
  });
  app.server.on('clientError', (_, socket) => {
    if (socket instanceof Socket) replaceEnd(socket);
  });
  app.addHook('preClose', done => {
    closing = true;
    for (const socket of lingering) socket.destroy();
    done();
  });
}

/** Nothing of it gets to the HTTP parser any more: what follows a last request is no request. */
function discard(socket: Socket): void {
  const end = socket.bytesRead + maxDiscarded;
  socket.removeAllListeners('data').removeAllListeners('end');
  socket.on('data', () => {
    if (socket.bytesRead > end) socket.destroy();
  });
  socket.resume();
}
