import type { Server } from 'node:http';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import type { Config } from './config.ts';
import type { RecordEvent } from './events.ts';
import { limitConnections } from './http/connections.ts';
import {
  answerClientError,
  recordRefusals,
  refuseOtherProtocols,
  refuseTunnel,
} from './http/parser-errors.ts';
import { boundPipelining, type Handler } from './http/pipelining.ts';
import { answerFrameworkError } from './http/problems.ts';
import { requestId } from './http/request-id.ts';
import { logRequest } from './http/request-log.ts';
import type { Routes } from './http/routes.ts';
import type { SourceOf } from './http/source.ts';
import type { Log } from './log.ts';

/** What one connection may take of us. Times in milliseconds. */
export interface Limits {
  /** Connections at once; one more is closed as soon as it is there. */
  readonly connections: number;
  /** From the first byte of a request, or from the connection, until its headers are there. */
  readonly headersTimeout: number;
  /** The same, until the whole request is there. */
  readonly requestTimeout: number;
  /** From the first look at which the system had no room for some of an answer, until all of it has gone there. */
  readonly stallTimeout: number;
  /** After the last answer, until the client has closed the connection too. */
  readonly lingerTimeout: number;
  /** Between an answer and the next request. */
  readonly keepAliveTimeout: number;
  /** How often the times are looked at. */
  readonly checkEvery: number;
}

/** Those that no setting moves. A slow header, body or reader is gone after 15 s, whatever the phase of the looks. */
export const fixedLimits = {
  headersTimeout: 10_000,
  requestTimeout: 12_000,
  stallTimeout: 12_000,
  lingerTimeout: 1500,
  checkEvery: 1000,
} as const;

export function limitsOf(settings: Pick<Config, 'maxConnections' | 'keepAliveTimeout'>): Limits {
  return {
    ...fixedLimits,
    connections: settings.maxConnections,
    keepAliveTimeout: settings.keepAliveTimeout * 1000,
  };
}

/** Bytes of a body. */
export const bodyLimit = 16_384;

interface ServerOptions {
  readonly log: Log;
  readonly record: RecordEvent;
  readonly sourceOf: SourceOf;
  readonly limits: Limits;
}

/** Fastify with every limit said out loud, so that no upgrade moves one silently. */
export function createServer({ log, record, sourceOf, limits }: ServerOptions): Routes {
  // What Fastify has to say at info is an event of ours already.
  const level = log.isLevelEnabled('warn') ? 'warn' : log.level;
  const logger: FastifyBaseLogger = log.child({}, { level });
  return Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // A child logger for every request would cost more than the lines that are written with it.
    childLoggerFactory: logger => logger,
    genReqId: requestId,
    requestIdHeader: false,
    bodyLimit,
    // Of ten seconds otherwise, for closing too, which would fail while requests in flight may still finish.
    pluginTimeout: 0,
    // A request that comes on an open connection during the shutdown is served like those before it.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 100 },
    // What a forwarded header says is for http/source.ts.
    trustProxy: false,
    frameworkErrors(error, request, reply) {
      logRequest(request, reply, sourceOf(request.raw), log);
      answerFrameworkError(error, request, reply);
    },
    clientErrorHandler: answerClientError,
    serverFactory: handler => createHttpServer(handler, limits, record),
  });
}

function createHttpServer(fastify: Handler, limits: Limits, record: RecordEvent): Server {
  const handler = boundPipelining(refuseOtherProtocols(fastify, record));
  // Not imported: see http/status-codes.ts.
  const server = process.getBuiltinModule('node:http').createServer(
    {
      headersTimeout: limits.headersTimeout,
      requestTimeout: limits.requestTimeout,
      keepAliveTimeout: limits.keepAliveTimeout,
      connectionsCheckingInterval: limits.checkEvery,
      // Bytes of the request line and the headers together.
      maxHeaderSize: 16_384,
      // Answered as every other error; see http/problems.ts.
      requireHostHeader: false,
      insecureHTTPParser: false,
      shouldUpgradeCallback: () => false,
    },
    handler,
  );
  // Beyond its own count Node drops headers silently; http/bounds.ts refuses far fewer.
  server.maxHeadersCount = 2000;
  // No idle time of a socket but those above: a hash may be waited for in silence.
  server.timeout = 0;
  server.on('connect', refuseTunnel);
  // The body is asked for when somebody begins to read it. A refusal says at once that none is needed, and is the last
  // answer of its connection: Node sees to that, because the client may send the body all the same.
  server.on('checkContinue', (request, response) => {
    request.once('resume', () => {
      if (!response.headersSent) response.writeContinue();
    });
    server.emit('request', request, response);
  });
  // An expectation that we do not know is one that we need not meet (RFC 9110, section 10.1.1).
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  recordRefusals(server, record);
  limitConnections(server, limits, record);
  return server;
}
