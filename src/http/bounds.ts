import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../errors.ts';
import { countHeaders } from './headers.ts';
import { refuseSocket } from './parser-errors.ts';
import type { Routes } from './routes.ts';

const maxHeaders = 100;

/** Bytes on the wire beyond those of the body: sizes, extensions and trailers of chunks. */
const maxFraming = 16_384;

/**
 * Refuses what no request needs, before anything else looks at it, and never reads to the end what is not wanted: Node
 * would, however long it is, to have the connection for the next request. `bodyLimit`: bytes.
 */
export function boundRequests(app: Routes, bodyLimit: number): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { 'transfer-encoding': chunked, 'content-length': length = 0, upgrade } = request.headers;
    const tooLong = Number(length) > bodyLimit;
    if (tooLong || chunked !== undefined) closeUnlessRead(request, reply);
    // What follows a wish for another protocol, which is not granted, may be in that protocol.
    if (upgrade !== undefined) reply.raw.shouldKeepAlive = false;
    if (chunked !== undefined) boundWire(request, bodyLimit + maxFraming, () => tooLarge(bodyLimit));
    const fault = tooLong ? tooLarge(bodyLimit) : faultOf(request);
    // What one reader takes for the end of this request, another may not: it is the last of its connection.
    if (fault?.code === 'malformed_request') reply.raw.shouldKeepAlive = false;
    done(fault);
  });
}

export function tooLarge(bodyLimit: number): Problem {
  return new Problem('payload_too_large', `The body is larger than ${bodyLimit / 1024} KiB.`);
}

function faultOf({ raw, headers }: FastifyRequest): Problem | undefined {
  const { rawHeaders, httpVersion } = raw;
  // Names and values by turns.
  if (rawHeaders.length > 2 * maxHeaders)
    return new Problem('headers_too_large', `The request has more than ${maxHeaders} headers.`);
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return malformed('This is HTTP/1.1.');
  // The router would take any first character for a slash.
  if (!/^(?:\/|https?:\/\/|\*$)/i.test(raw.url ?? '')) return malformed('The target is no path.');
  const { 'transfer-encoding': coding, host = '' } = headers;
  // RFC 9112, section 6.1: whoever passed it on as HTTP/1.0 may not know what a coding is.
  if (coding !== undefined && httpVersion === '1.0') return malformed('HTTP/1.0 has no transfer codings.');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return malformed('The one transfer coding here is chunked.');
  if (headers['content-type'] !== undefined && countHeaders(raw, 'content-type') > 1)
    return malformed('There is more than one Content-Type header.');
  // Node would answer the lack of it without a body.
  const hosts = countHeaders(raw, 'host');
  const fits = hosts === 1 || (hosts === 0 && httpVersion === '1.0');
  return fits && !/[\s/@?#\\]/.test(host) ? undefined : malformed('HTTP/1.1 needs one Host header.');
}

function malformed(detail: string): Problem {
  return new Problem('malformed_request', detail);
}

/** The answer is the last of the connection, unless the whole body has been read by then. */
function closeUnlessRead({ raw }: FastifyRequest, { raw: answer }: FastifyReply): void {
  const { shouldKeepAlive } = answer;
  answer.shouldKeepAlive = false;
  raw.once('end', () => {
    answer.shouldKeepAlive = shouldKeepAlive;
  });
}

/** What chunks are wrapped in never gets to a handler, and Node bounds only some of it. */
function boundWire({ raw }: FastifyRequest, limit: number, problem: () => Problem): void {
  const { socket } = raw;
  const end = socket.bytesRead + limit;
  const look = (): void => {
    if (socket.bytesRead > end) refuseSocket(socket, problem());
  };
  socket.on('data', look);
  raw.once('close', () => socket.off('data', look));
}
