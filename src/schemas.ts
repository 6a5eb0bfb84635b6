import Type, { type Static, type TSchema, type TUnsafe } from 'typebox';
import { codes } from './errors.ts';

/** Nothing that a schema does not name, in or out. */
export const closed = { additionalProperties: false } as const;

export const Id = Type.String({
  format: 'uuid',
  pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
  description: 'UUIDv7 (RFC 9562)',
  examples: ['019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17'],
});

/** A `Date` here, RFC 3339 in UTC with milliseconds on the wire. */
export const Time = Type.Unsafe<Date>({
  type: 'string',
  format: 'date-time',
  examples: ['2026-11-22T08:30:00.000Z'],
});

/** RFC 9457, with a closed set of codes. */
export const ProblemBody = Type.Object(
  {
    type: Type.String({ examples: ['urn:plinth:problem:validation_failed'] }),
    title: Type.String({ examples: ['Validation failed'] }),
    status: Type.Integer({ examples: [422] }),
    detail: Type.String({ examples: ['The body has faults.'] }),
    instance: Type.String({
      description: 'The request id as a URN',
      examples: ['urn:plinth:request:4c9f4b0e-3f5d-4a46-9d43-0d5c6d0a7c11'],
    }),
    code: Type.Enum([...codes], { examples: ['validation_failed'] }),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            pointer: Type.String({ description: 'JSON Pointer (RFC 6901)', examples: ['/password'] }),
            code: Type.String({ examples: ['too_short'] }),
            detail: Type.String({ examples: ['has to have at least 8 characters'] }),
          },
          closed,
        ),
        { description: 'With 422: every fault of the body' },
      ),
    ),
    'violated-policies': Type.Optional(
      Type.Array(Type.String({ examples: ['login-account'] }), {
        description: 'With 429: the limits that were reached, as RateLimit-Policy names them',
      }),
    ),
  },
  { ...closed, $id: 'Problem', description: 'What went wrong (RFC 9457)' },
);

/** A schema by name: it becomes one component of the OpenAPI document instead of a copy at each use. */
export function ref<Schema extends TSchema>(schema: Schema): TUnsafe<Static<Schema>> {
  if (!('$id' in schema)) throw new TypeError('only a schema with an $id can be referred to');
  return Type.Unsafe<Static<Schema>>({ $ref: `${schema.$id}#` });
}
