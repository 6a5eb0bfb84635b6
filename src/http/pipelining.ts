import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Requests of one connection without an answer. Who waits for answers has one, and who measures has a few. */
const maxUnanswered = 32;

/**
 * Cuts a connection on which more requests come before their answers: thousands fit into one read of a socket, and Node
 * would begin all of them before it looks at any other connection. Nor is anything done with what came together with a
 * request whose answer was the last of its connection: Node would begin it, and nobody would get its answer.
 */
export function boundPipelining(handler: Handler): Handler {
  const unanswered = new WeakMap<Socket, number>();
  const over = new WeakSet<Socket>();
  return (request, response) => {
    const { socket } = request;
    // The rest of what was read comes all the same.
    if (socket.destroyed || over.has(socket)) return;
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    if (count > maxUnanswered) {
      socket.destroy();
      return;
    }
    response.on('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    // The answer will be the last one, as all are while the service drains: it may be given much later.
    if (!response.shouldKeepAlive) over.add(socket);
    handler(request, response);
    if (response.headersSent && !response.shouldKeepAlive) over.add(socket);
  };
}
