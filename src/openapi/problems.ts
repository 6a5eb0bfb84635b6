import { type Code, Problem, statusOf } from '../errors.ts';
import { ProblemBody, ref } from '../schemas.ts';

/** One answer for each status, naming the codes that it may carry. */
export function problemsByStatus(codes: readonly Code[]): Record<number, unknown> {
  const byStatus = Map.groupBy(codes, statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => {
      const description = of.map(code => `\`${code}\``).join(' or ');
      return [status, { ...problemAnswer(description, of), ...headersOf(of) }];
    }),
  );
}

/** What any route may answer, without saying so. */
export const otherProblems = problemAnswer('Any other problem', [
  'malformed_request',
  'request_timeout',
  'payload_too_large',
  'unsupported_media_type',
  'headers_too_large',
  'internal',
]);

function problemAnswer(description: string, codes: readonly Code[]) {
  const examples = Object.fromEntries(codes.map(code => [code, { value: exampleOf(code) }]));
  return { description, content: { 'application/problem+json': { schema: ref(ProblemBody), examples } } };
}

function exampleOf(code: Code): Record<string, unknown> {
  const fault = { pointer: '/password', code: 'too_short', detail: 'has to have at least 8 characters' };
  const problem = new Problem(code, 'For people: what was wrong, and what is allowed.', {
    ...(code === 'validation_failed' && { errors: [fault] }),
    ...(code === 'too_many_requests' && { violatedPolicies: ['login-account'] }),
  });
  return problem.toBody('4c9f4b0e-3f5d-4a46-9d43-0d5c6d0a7c11');
}

/** Headers that every one of these answers has. */
function headersOf(codes: readonly Code[]) {
  const [status] = codes.map(statusOf);
  if (status === 401) {
    return { headers: { 'WWW-Authenticate': { type: 'string', description: 'The challenge of RFC 6750' } } };
  }
  const retryAfter = { 'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds' } };
  if (status === 429) return { headers: { ...retryAfter, ...rateLimitFields } };
  return status === 503 ? { headers: retryAfter } : {};
}

/** draft-ietf-httpapi-ratelimit-headers-11 */
const rateLimitFields = {
  'RateLimit-Policy': {
    type: 'string',
    description:
      'The limit that was reached: how many in how many seconds. A structured field, as "login-account";q=10;w=900',
  },
  RateLimit: {
    type: 'string',
    description:
      'What is left of it, which is nothing, and for how many seconds. A structured field, as "login-account";r=0;t=60',
  },
};
