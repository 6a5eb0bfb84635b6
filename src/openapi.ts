import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import type { TSchema } from 'typebox';
import { type Code, Problem, statusOf } from './errors.ts';
import { accessOf } from './http/policy.ts';
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
  const session = accessOf(route) === 'session';
  const content = Object.entries(contentOf(schema)).map(
    ([type, { schema: body }]) => [type, { schema: isNamed(body) ? ref(body) : body }] as const,
  );
  const codes = new Set<Code>([
    ...(session ? (['unauthenticated', 'invalid_token'] as const) : []),
    ...(content.length > 0 ? (['validation_failed'] as const) : []),
    ...(route.config?.problems ?? []),
    'unavailable',
  ]);
  return {
    ...schema,
    ...(content.length > 0 && { body: { content: Object.fromEntries(content) } }),
    security: session ? [{ password: [] }, { bearer: [] }] : [],
    response: {
      ...problemsByStatus([...codes]),
      ...(schema.response as object),
      default: problemAnswer('Any other problem', anywhere),
    },
  };
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

/** What any route may answer, without saying so. */
const anywhere: readonly Code[] = [
  'malformed_request',
  'request_timeout',
  'payload_too_large',
  'unsupported_media_type',
  'headers_too_large',
  'internal',
];

/** One answer for each status, naming the codes that it may carry. */
function problemsByStatus(codes: readonly Code[]): Record<number, unknown> {
  const byStatus = Map.groupBy(codes, statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => {
      const description = of.map(code => `\`${code}\``).join(' or ');
      return [status, { ...problemAnswer(description, of), ...headersOf(of) }];
    }),
  );
}

function problemAnswer(description: string, codes: readonly Code[]) {
  const examples = Object.fromEntries(codes.map(code => [code, { value: exampleOf(code) }]));
  return { description, content: { 'application/problem+json': { schema: ref(ProblemBody), examples } } };
}

function exampleOf(code: Code): Record<string, unknown> {
  const fault = { pointer: '/password', code: 'too_short', detail: 'has to have at least 8 characters' };
  const problem =
    code === 'validation_failed'
      ? new Problem(code, 'The body has faults.', { errors: [fault] })
      : new Problem(code, 'For people: what was wrong, and what is allowed.');
  return problem.toBody('4c9f4b0e-3f5d-4a46-9d43-0d5c6d0a7c11');
}

/** Headers that every one of these answers has. */
function headersOf(codes: readonly Code[]) {
  const [status] = codes.map(statusOf);
  if (status === 401 && !codes.includes('invalid_credentials')) {
    return { headers: { 'WWW-Authenticate': { type: 'string', description: 'The challenge of RFC 6750' } } };
  }
  return status === 429 || status === 503
    ? { headers: { 'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds' } } }
    : {};
}
