import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { RecordEvent } from '../events.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** An event that this request brought about: with its id, where it came from, and whose it was as far as known. */
    readonly record: RecordEvent;
    /** For whatever limits what callers may do, and records it. */
    readonly caller: Caller;
  }
}

interface Caller {
  /** What counts as one source. */
  readonly network: string;
  readonly record: RecordEvent;
}

/** Add it after the sources are known. */
export function recordEvents(app: FastifyInstance, record: RecordEvent): void {
  app.decorateRequest('record', {
    getter(this: FastifyRequest): RecordEvent {
      return (event, fields) => record(event, { ...originOf(this), ...fields });
    },
  });
  app.decorateRequest('caller', {
    getter(this: FastifyRequest): Caller {
      return { network: this.source.network, record: this.record };
    },
  });
}

function originOf(request: FastifyRequest): Record<string, string | null> {
  return { request_id: request.id, ip: request.source.address, ...whoseIs(request) };
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
