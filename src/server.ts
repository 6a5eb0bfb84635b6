import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { answerClientError, answerFrameworkError } from './http/problems.ts';
import { requestId } from './http/request-id.ts';
import type { Routes } from './http/routes.ts';

/** Bytes of a body. */
const bodyLimit = 16_384;

/**
 * Fastify with every limit said out loud, so that no upgrade moves one silently. Times in milliseconds: headers have to
 * be there after 10 s, the whole request after 15 s; an idle connection is closed after 65 s, longer than the usual
 * proxy keeps one, so that the proxy and not we decide. `trustedProxies`: whose `X-Forwarded-For` counts.
 */
export function createServer(log: FastifyBaseLogger, trustedProxies: readonly string[]): Routes {
  return Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    // A child logger for every request would cost more than the lines that are written with it.
    childLoggerFactory: logger => logger,
    genReqId: requestId,
    requestIdHeader: false,
    bodyLimit,
    keepAliveTimeout: 65_000,
    requestTimeout: 15_000,
    http: {
      headersTimeout: 10_000,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16_384,
      requireHostHeader: false,
    },
    // A request that comes on an open connection during the shutdown is served like those before it.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 100 },
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerClientError,
  });
}
