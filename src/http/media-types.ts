import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify';
import { Problem } from '../errors.ts';
import { readBody } from './body.ts';
import { parseForm } from './form.ts';
import { parseJson } from './json.ts';

const parsers = {
  'application/json': parseJson,
  'application/x-www-form-urlencoded': parseForm,
};

export type MediaType = keyof typeof parsers;

/** RFC 9110, section 8.3, with the one parameter that has a meaning here. */
const contentType = /^([a-z]+\/[a-z0-9.+-]+)(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?$/i;

/**
 * Reads bodies by exact media type. A body reaches a handler only where the route has a schema for its type: the check
 * is made here, on the header as it came, so that no two readings of the header can differ. `bodyLimit`: bytes.
 */
export function readBodies(app: FastifyInstance, bodyLimit: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, payload, done) => {
    const use = (bytes: Buffer): void => {
      let body: unknown;
      try {
        body = parse(request, bytes);
      } catch (fault) {
        done(fault as Error);
        return;
      }
      done(null, body);
    };
    readBody(payload, bodyLimit, use, done);
  });
  app.addHook('onRoute', route => {
    const accepted = acceptedBy(route.schema);
    if (accepted.length === 0) return;
    route.preParsing = async request => {
      mediaTypeOf(request, accepted);
    };
  });
}

/** Where no body is expected one is read, within the limit, and forgotten. */
function parse(request: FastifyRequest, bytes: Buffer): unknown {
  const accepted = acceptedBy(request.routeOptions.schema);
  return accepted.length === 0 ? undefined : parsers[mediaTypeOf(request, accepted)](bytes);
}

/** Throws `unsupported_media_type` for any other type, for none, and for a compressed body. */
function mediaTypeOf({ headers }: FastifyRequest, accepted: readonly MediaType[]): MediaType {
  const given = contentType.exec(headers['content-type'] ?? '')?.[1]?.toLowerCase();
  const found = accepted.find(type => type === given);
  if (!found || headers['content-encoding'] !== undefined) {
    throw new Problem(
      'unsupported_media_type',
      `The body has to be ${accepted.join(' or ')}, not compressed.`,
    );
  }
  return found;
}

/** Every route with a body declares it as `body: { content: { [media type]: { schema } } }`. */
function acceptedBy(schema: FastifySchema | undefined): readonly MediaType[] {
  const body = schema?.body as { content?: Partial<Record<MediaType, unknown>> } | undefined;
  return Object.keys(body?.content ?? {}) as MediaType[];
}
