import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import type { Code } from './errors.ts';
import { importanceOf } from './http/importance.ts';
import { accessOf } from './http/policy.ts';
import { STATUS_CODES } from './http/status-codes.ts';
import { otherProblems, problemsByStatus } from './openapi/problems.ts';
import { ProblemBody, ref } from './schemas.ts';

/**
 * Collects every route that is added from now on into one OpenAPI 3.1 document, from the schemas that validate and the
 * policies that are enforced. A schema with an `$id` becomes a component by that name. `version`: of the program.
 */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  app.addSchema(ProblemBody);
  app.addHook('onRoute', ({ schema }) => {
    for (const { schema: body } of Object.values(contentOf(schema))) {
      if (isNamed(body) && !app.getSchema(body.$id)) app.addSchema(body);
    }
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Plinth',
        version,
        description:
          'Accounts: registration, login, sessions, who am I. Every error is an RFC 9457 problem with a `code`.\n\n' +
          'To try it: register with `POST /users`, press Authorize and log in with your email address as the ' +
          'username, then ask `GET /me`.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: [
        { name: 'accounts', description: 'Who people are' },
        { name: 'sessions', description: 'How they prove it' },
        { name: 'health', description: 'For load balancers and monitors' },
        { name: 'docs', description: 'This description' },
      ],
      components: {
        securitySchemes: {
          password: {
            type: 'oauth2',
            description: 'Your email address as the username, and your password.',
            flows: { password: { tokenUrl: '/login', scopes: {} } },
          },
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'An access token.' },
        },
      },
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, i) => String(schema['$id'] ?? `def-${i}`),
    },
    transform: ({ schema = {}, url, route }) => ({
      url,
      schema: schema.hide ? schema : describe(schema, route),
    }),
  });
}

function describe(schema: FastifySchema, route: RouteOptions): FastifySchema {
  const session = accessOf(route) !== 'public';
  const content = Object.entries(contentOf(schema)).map(
    ([type, { schema: body }]) => [type, { schema: isNamed(body) ? ref(body) : body }] as const,
  );
  const codes = new Set<Code>([
    ...(session ? (['unauthenticated', 'invalid_token'] as const) : []),
    ...(content.length > 0 ? (['validation_failed'] as const) : []),
    ...(route.config?.problems ?? []),
    ...(importanceOf(route) === 'vital' ? [] : (['overloaded'] as const)),
    'unavailable',
  ]);
  return {
    tags: [resourceOf(route)],
    ...schema,
    ...(content.length > 0 && { body: { content: Object.fromEntries(content) } }),
    security: session ? [{ password: [] }, { bearer: [] }] : [],
    response: {
      ...problemsByStatus([...codes]),
      ...withDescriptions(schema.response as Record<string, object> | undefined),
      default: otherProblems,
    },
  };
}

/** `/notes/{id}` is listed under `notes`, unless the route says otherwise. */
function resourceOf({ url }: RouteOptions): string {
  return url.split('/')[1] ?? '';
}

type Content = Readonly<Record<string, { readonly schema: TSchema }>>;

/** What a route takes, by media type. */
function contentOf(schema: FastifySchema | undefined): Content {
  const body = schema?.body as { content?: Content } | undefined;
  return body?.content ?? {};
}

function isNamed(schema: TSchema): schema is TSchema & { readonly $id: string } {
  return '$id' in schema && typeof schema.$id === 'string';
}

/** An answer that neither says what it is nor has a component that does is called as HTTP calls its status. */
function withDescriptions(response: Readonly<Record<string, object>> = {}): Record<string, object> {
  return Object.fromEntries(
    Object.entries(response).map(([status, answer]) => [
      status,
      'description' in answer || '$ref' in answer
        ? answer
        : { ...answer, 'x-response-description': STATUS_CODES[status] },
    ]),
  );
}
