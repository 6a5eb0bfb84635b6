import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { unavailable } from './errors.ts';
import type { Routes } from './http/routes.ts';

/** The OpenAPI document and the page that makes it clickable. */
export function docsRoutes(app: Routes): void {
  const cached = cachedAnswers();
  app.get(
    '/openapi.json',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'getOpenapi',
        summary: 'This description, as OpenAPI',
        tags: ['docs'],
        response: answer('An OpenAPI 3.1 document', 'application/json', Type.Object({})),
      },
    },
    cached('application/json', () => JSON.stringify(app.swagger())),
  );

  const page = cached('text/html', () => read('./docs/page.html'));
  app.get(
    '/docs',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'getDocs',
        summary: 'This description, to read and to try out',
        tags: ['docs'],
        response: answer('A page', 'text/html', Type.String()),
      },
    },
    (request, reply) => page(request, reply.header('content-security-policy', pagePolicy)),
  );

  // A route for each by its name: nothing of a request gets near the file system.
  for (const [name, [type, specifier]] of Object.entries(assets)) {
    const options = { config: { access: 'public' }, schema: { hide: true } } as const;
    const asset = cached(type, () => read(specifier));
    app.get(`/docs/${name}`, options, asset);
  }
}

/**
 * Everything from here, nothing inline. The `data:` images are icons in Swagger UI's own style sheet. It styles single
 * elements through the DOM, which the policy does not count as inline, so that `style-src` needs no exception.
 */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Ours, and the two of the many files of Swagger UI that the page needs. */
const assets = {
  'page.css': ['text/css', './docs/page.css'],
  'page.js': ['text/javascript', './docs/page.js'],
  'icon.svg': ['image/svg+xml', './docs/icon.svg'],
  'swagger-ui.css': ['text/css', '@fastify/swagger-ui/static/swagger-ui.css'],
  'swagger-ui.js': ['text/javascript', '@fastify/swagger-ui/static/swagger-ui-bundle.js'],
} as const;

function answer(description: string, type: string, schema: TSchema) {
  return {
    200: { description, content: { [type]: { schema } } },
    304: Type.Null({ description: 'Not changed since the `ETag` of `If-None-Match`' }),
  };
}

/**
 * Bytes. The system may take an answer for a client that reads nothing of it, and the connection looks idle then. After a
 * large one it is closed, so that megabytes of the system's are not kept for as long as an idle connection is.
 */
const large = 65_536;

/**
 * Connections with a large answer at once. For each the system may have to keep 4 MB, and copying that takes milliseconds:
 * thousands of slow readers would have gigabytes, and whoever asks for anything would wait for seconds.
 */
export const maxLarge = 64;

/** Answers with bytes that are made at the first request and kept. Browsers keep them too, and ask before each use. */
function cachedAnswers() {
  let free = maxLarge;
  // Made once, and thrown at once, before Node begins what else was read with the request: refusing is to cost little.
  const noPlace = unavailable('overloaded', 1);

  /** The answer is the last of its connection, also where there is no place. */
  function takePlace({ raw }: FastifyRequest, { raw: answer }: FastifyReply): void {
    answer.shouldKeepAlive = false;
    if (free === 0) throw noPlace;
    free--;
    raw.socket.once('close', () => free++);
  }

  return (type: string, make: () => string | Buffer) => {
    let kept: { readonly bytes: Buffer; readonly etag: string } | undefined;
    return (request: FastifyRequest, reply: FastifyReply) => {
      kept ??= withTag(Buffer.from(make()));
      const { bytes, etag } = kept;
      const known = request.headers['if-none-match']?.includes(etag);
      if (!known && bytes.length > large) takePlace(request, reply);
      void reply.headers({ 'cache-control': 'no-cache', etag });
      return known ? reply.code(304).send() : reply.type(`${type}; charset=utf-8`).send(bytes);
    };
  };
}

function withTag(bytes: Buffer) {
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

function read(specifier: string): Buffer {
  return readFileSync(fileURLToPath(import.meta.resolve(specifier)));
}
