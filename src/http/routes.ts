import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import Type, { type Static, type TSchema } from 'typebox';

/** What a feature adds its routes to: Fastify, with requests and answers typed by their TypeBox schemas. */
export type Routes = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  SchemaTypes
>;

interface SchemaTypes extends FastifyTypeProvider {
  validator: TypeOf<this['schema']>;
  serializer: TypeOf<this['schema']>;
}

type TypeOf<Schema> =
  Schema extends Content<infer Part> ? TypeOf<Part> : Schema extends TSchema ? Static<Schema> : unknown;

interface Content<Part> {
  content: Record<string, { schema: Part }>;
}

/** A JSON body. Bodies are declared by media type and in no other way, so that none is read unchecked. */
export function json<Schema extends TSchema>(schema: Schema) {
  return { content: { 'application/json': { schema } } };
}

/** An answer without a body. */
export const noContent = Type.Unsafe<undefined>({ type: 'null', description: 'Done' });
