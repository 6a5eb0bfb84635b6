import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RecordEvent } from '../events.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** An event that this request brought about: with its id, where it came from, and whose it was as far as known. */
    readonly record: RecordEvent;
  }
}

export function recordEvents(app: FastifyInstance, record: RecordEvent): void {
  app.decorateRequest('record', {
    getter(this: FastifyRequest): RecordEvent {
      return (event, fields) => record(event, { ...originOf(this), ...fields });
    },
  });
}

function originOf(request: FastifyRequest): Record<string, string | null> {
  return { request_id: request.id, ip: addressOf(request), ...whoseIs(request) };
}

/** Null when the connection was gone before anybody asked. */
export function addressOf({ ip }: { readonly ip?: string }): string | null {
  return ip ?? null;
}

/** By a token that was verified, also where its session is over. */
export function whoseIs({ identity, claims }: FastifyRequest): Whose | undefined {
  if (identity) return { user_id: identity.user.id, session_id: identity.session.id };
  return claims ? { user_id: claims.sub, session_id: claims.sid } : undefined;
}

interface Whose {
  readonly user_id: string;
  readonly session_id: string;
}
