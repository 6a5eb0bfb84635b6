import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Code, Problem } from '../errors.ts';
import { standardHeaders } from './headers.ts';
import type { MethodsAt } from './methods.ts';
import type { Routes } from './routes.ts';

export const problemType = 'application/problem+json; charset=utf-8';

declare module 'fastify' {
  interface FastifyRequest {
    /** Why it was refused, once it was. */
    refusal: Code | null;
  }
}

/** Turns an error of a feature or library into a `Problem`, or gives undefined when it does not know it. */
export type Translate = (error: unknown) => Problem | undefined;

/** One answer for every error that reaches Fastify: a `Problem` as it is, everything else by `toProblem`. */
export function answerProblems(app: Routes, translate: Translate, methodsAt: MethodsAt): void {
  app.decorateRequest('refusal', null);
  app.setErrorHandler((error, request, reply) => {
    sendProblem(toProblem(error, translate), request, reply);
  });
  // Fastify's own handler of these would first read a body. This comes after every hook that looks at all requests.
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    done(request.is404 ? noRoute(methodsAt(request)) : null);
  });
}

export function noRoute(allow: string | undefined): Problem {
  return allow === undefined
    ? new Problem('not_found', 'There is nothing here.')
    : new Problem('method_not_allowed', `This path has ${allow}.`, { headers: { allow } });
}

/** For errors that arise before Fastify has a route: a URL that cannot be decoded, a parameter that is too long. */
export function answerFrameworkError(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  // No hook has run, so nobody has looked at how long a body there may be: what follows may be part of it.
  reply.raw.shouldKeepAlive = false;
  reply.headers(standardHeaders(request.id));
  sendProblem(new Problem('malformed_request', 'The URL is malformed.', { cause: error }), request, reply);
}

function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): void {
  request.refusal = problem.code;
  if (problem.status === 500) {
    request.record('request_failed', { err: problem.cause });
  } else if (problem.status === 503 && problem.cause !== undefined) {
    request.record('request_not_served', { code: problem.code, err: problem.cause });
  }
  void reply
    .code(problem.status)
    .headers(problem.headers)
    .header('content-type', problemType)
    .serializer(JSON.stringify)
    .send(problem.toBody(request.id));
}

const framework: Readonly<Record<string, readonly [Code, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'The body has a media type that is not read here.',
  ],
};

function toProblem(error: unknown, translate: Translate): Problem {
  if (error instanceof Problem) return error;
  const known = framework[errorCode(error)];
  if (known) return new Problem(known[0], known[1], { cause: error });
  return translate(error) ?? new Problem('internal', 'Something went wrong here.', { cause: error });
}

function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  return typeof code === 'string' ? code : '';
}
