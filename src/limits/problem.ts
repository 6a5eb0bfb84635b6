import { Problem } from '../errors.ts';
import type { Refusal } from './limiter.ts';
import { window } from './tally.ts';

/**
 * With the fields of draft-ietf-httpapi-ratelimit-headers-11. They are on no other answer: what is left of the limit of
 * an account would tell a stranger how others try it.
 */
export function tooManyRequests({ policy: { name, limit }, wait }: Refusal): Problem {
  const seconds = Math.ceil(wait / 1000);
  return new Problem('too_many_requests', `Too many attempts. Try again in ${seconds} seconds.`, {
    headers: {
      'retry-after': String(seconds),
      'ratelimit-policy': `"${name}";q=${limit};w=${window / 1000}`,
      ratelimit: `"${name}";r=0;t=${seconds}`,
    },
    violatedPolicies: [name],
  });
}
