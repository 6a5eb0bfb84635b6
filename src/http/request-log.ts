import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../log.ts';
import { whoseIs } from './request-events.ts';
import type { Source } from './source.ts';

/**
 * One line per request, when its answer is out or its client has gone away: who, from where, what, how it ended, how
 * long, and nothing that was in the request itself but its id. The route is the pattern, not the URL, so that no id,
 * token or address of a person gets into the log by a path.
 */
export function logRequests(app: FastifyInstance, log: Log): void {
  app.addHook('onRequest', (request, reply, done) => {
    logRequest(request, reply, request.source, log);
    done();
  });
}

/** For one that no hook sees. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, source: Source, log: Log): void {
  if (!log.isLevelEnabled('info')) return;
  // Fastify's own onResponse would not tell of those who do not wait.
  reply.raw.on('close', () => log.stream.write(requestLine(request, reply, source.address, log)));
}

/**
 * As pino would write it at `info`, at half the cost: this is the one line that every request pays for. What is not
 * quoted by `JSON.stringify` has no character to escape: numbers, ids by their form, codes, and methods, which are those
 * that Node's parser knows.
 */
function requestLine(request: FastifyRequest, reply: FastifyReply, ip: string | null, log: Log): string {
  const { id, method, routeOptions, refusal } = request;
  const route = routeOptions.url === undefined ? 'null' : JSON.stringify(routeOptions.url);
  // Without an answer there is no status, whatever it would have become.
  const status = reply.raw.headersSent ? reply.statusCode : 'null';
  const duration = Math.round(reply.elapsedTime * 100) / 100;
  const code = refusal ? `,"code":"${refusal}"` : '';
  const whose = whoseIs(request);
  const who = whose ? `,"user_id":"${whose.user_id}","session_id":"${whose.session_id}"` : '';
  return (
    `{"level":30,"time":"${log.timestamp()}"${log.fields},"request_id":"${id}","ip":${JSON.stringify(ip)},"method":"${method}",` +
    `"route":${route},"status":${status}${code},"duration_ms":${duration}${who}}\n`
  );
}
