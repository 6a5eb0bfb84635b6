import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import type { TLocalizedValidationError } from 'typebox/error';
import { Compile } from 'typebox/schema';
import { type Fault, Problem } from '../errors.ts';

/** Says what a field's value has against it beyond its type; an empty list when it is well. */
export type Rules = Readonly<
  Record<string, (value: string, body: Readonly<Record<string, unknown>>) => Fault[]>
>;

const rulesOf = new WeakMap<TSchema, Rules>();

/**
 * Attaches rules that JSON Schema cannot express to the string fields of an object schema. They run beside the schema's
 * own checks and not after them, so that one answer names every fault of a body.
 */
export function withRules<Schema extends TSchema>(schema: Schema, rules: Rules): Schema {
  rulesOf.set(schema, rules);
  return schema;
}

/** Compiles a TypeBox schema to a check that coerces nothing, removes nothing and reports all faults at once. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  const rules = rulesOf.get(schema) ?? {};
  return (value: unknown) => {
    const faults = validator.Check(value) ? [] : validator.Errors(value)[1].flatMap(toFaults);
    faults.push(...broken(rules, value));
    if (faults.length === 0) return { value };
    // A path parameter that has not even the form of an id names nothing that could be there.
    const problem =
      httpPart === 'params'
        ? new Problem('not_found', 'There is nothing here.')
        : new Problem('validation_failed', 'The body has faults.', { errors: distinct(faults) });
    return { error: problem };
  };
};

function broken(rules: Rules, value: unknown): Fault[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const body: Readonly<Record<string, unknown>> = { ...value };
  return Object.entries(rules).flatMap(([name, rule]) => {
    const field = body[name];
    return typeof field === 'string' ? rule(field, body) : [];
  });
}

const codeOf: Readonly<Record<string, string>> = {
  type: 'wrong_type',
  maxLength: 'too_long',
  minLength: 'too_short',
  enum: 'not_allowed',
  const: 'not_allowed',
};

function toFaults(error: TLocalizedValidationError): Fault[] {
  switch (error.keyword) {
    case 'required':
      return error.params.requiredProperties.map(name => ({
        pointer: `${error.instancePath}/${name}`,
        code: 'required',
        detail: 'is required',
      }));
    case 'additionalProperties':
      return error.params.additionalProperties.map(name => ({
        pointer: `${error.instancePath}/${escapePointer(name)}`,
        code: 'unknown_field',
        detail: 'is not a field of this body',
      }));
    // Said already by `additionalProperties` (boolean) and by the branches (anyOf).
    case 'boolean':
    case 'anyOf':
      return [];
    default:
      return [
        { pointer: error.instancePath, code: codeOf[error.keyword] ?? 'invalid', detail: error.message },
      ];
  }
}

/** RFC 6901, section 3. */
function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** A field whose type may be one of two fails both; once is enough. */
function distinct(faults: readonly Fault[]): Fault[] {
  const seen = new Map(faults.map(fault => [`${fault.pointer} ${fault.code}`, fault] as const));
  return [...seen.values()];
}
