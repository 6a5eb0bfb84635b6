import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Code, Problem } from '../errors.ts';
import type { RecordEvent } from '../events.ts';
import { standardHeaders } from './headers.ts';
import type { Handler } from './pipelining.ts';
import { problemType } from './problems.ts';
import { requestId } from './request-id.ts';
import { STATUS_CODES } from './status-codes.ts';

// Not imported: see status-codes.ts.
const { METHODS, ServerResponse: Answer } = process.getBuiltinModule('node:http');
const methods = new Set(METHODS);

const problems: Readonly<Record<string, readonly [Code, string]>> = {
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'The request line and headers are larger than 16 KiB.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['payload_too_large', 'The extensions of a chunk are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request took too long to arrive.'],
};

/** For what Node's HTTP parser refuses: there is no request, only a socket. */
export function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  // More than the one request that was to be the last; its answer is on the way.
  if (error.code === 'HPE_CLOSED_CONNECTION') return;
  if (error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const known = problems[error.code ?? ''];
  refuseSocket(socket, known ? new Problem(...known) : notHttp());
}

function notHttp(): Problem {
  return new Problem('malformed_request', 'This is not HTTP as we know it.');
}

/** CONNECT asks for a tunnel, which there is none of. Node has taken the socket out of HTTP by now. */
export function refuseTunnel(_: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => undefined);
  refuseSocket(socket, new Problem('malformed_request', 'There are no tunnels here.'));
}

/**
 * Refuses the methods of RTSP, which Node's parser takes for requests too. Fastify has no routes for them, nor a hook or an
 * error handler of ours, and would read whatever body follows.
 */
export function refuseOtherProtocols(handler: Handler, record: RecordEvent): Handler {
  return (request, response) => {
    const { method = '', socket } = request;
    if (methods.has(method)) {
      handler(request, response);
      return;
    }
    record('request_not_http', { ip: socket.remoteAddress ?? null, cause: method });
    const { status, headers, body } = answerOfNobody(notHttp());
    response.shouldKeepAlive = false;
    response.writeHead(status, headers).end(body);
  };
}

/** Tells of what never became a request. A client that only goes away in the middle is nothing to tell of. */
export function recordRefusals(server: Server, record: RecordEvent): void {
  const tell = (socket: Duplex, cause: string): void => {
    const ip = 'remoteAddress' in socket ? socket.remoteAddress : undefined;
    record('request_not_http', { ip: ip ?? null, cause });
  };
  server.on('clientError', ({ code = '' }: Error & { code?: string }, socket) => {
    if (code !== 'ECONNRESET' && code !== 'HPE_CLOSED_CONNECTION') tell(socket, code);
  });
  server.on('connect', (_, socket) => tell(socket, 'CONNECT'));
}

/**
 * The last answer of a connection: nothing after it can be trusted. While the answer to a request that is here in full
 * is due, that one is the last, because this one would be taken for it.
 */
export function refuseSocket(socket: Duplex, problem: Problem): void {
  const due = answerOf(socket);
  if (due?.req.complete && !due.headersSent) {
    due.shouldKeepAlive = false;
    return;
  }
  if (due?.headersSent || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = answerOfNobody(problem);
  socket.write(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      '',
      body,
    ].join('\r\n'),
    () => (socket instanceof Socket ? socket.destroySoon() : socket.destroy()),
  );
}

/** Where no hook has run and no route is known. */
function answerOfNobody(problem: Problem) {
  const id = requestId({ headers: {} });
  const body = JSON.stringify(problem.toBody(id));
  const headers = {
    ...standardHeaders(id),
    'content-type': problemType,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  return { status: problem.status, headers, body };
}

/** Node keeps the answer that is being made at the socket; its own handler of these errors looks there too. */
function answerOf(socket: Duplex): ServerResponse | undefined {
  const answer = '_httpMessage' in socket ? socket._httpMessage : undefined;
  return answer instanceof Answer ? answer : undefined;
}
