import type { FastifyReply } from 'fastify';
import { Problem } from '../errors.ts';

/**
 * Aborted when the client closes its connection before it has its answer, so that costly work for nobody can stop. The
 * reason is a `Problem`, so that what is thrown with it is logged as what it is. (Fastify's own `request.signal` is
 * aborted as soon as a body has been read.)
 */
export function departure(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished)
      controller.abort(new Problem('request_timeout', 'The client went away.'));
  });
  return controller.signal;
}
