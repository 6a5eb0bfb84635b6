import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { Answer, Client } from './client.ts';

/** An OpenAPI document, as far as the tests read it. */
export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  readonly tags: readonly { readonly name: string }[];
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security: readonly unknown[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, Described>>;
}

export interface Described {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Content;
}

export type Content = Readonly<Record<string, { readonly schema: Schema; readonly examples?: Examples }>>;
type Examples = Readonly<Record<string, { readonly value: unknown }>>;
export type Schema = Readonly<Record<string, unknown>>;

const problemType = 'application/problem+json';

/**
 * From now on every answer that the client gets has to be what the document says: path, method, status, media type,
 * headers and body. `swagger` is asked at the first answer.
 */
export function expectConformance(client: Client, swagger: () => object): void {
  let conform: Client['onAnswer'] | undefined;
  client.onAnswer = (method, path, answer) => {
    conform ??= conformToText(JSON.stringify(swagger()));
    conform(method, path, answer);
  };
}

/** Most services of a file have the same document, and making its checks takes longer than most of what is checked. */
const known = new Map<string, Client['onAnswer']>();

function conformToText(text: string): Client['onAnswer'] {
  const conform = known.get(text) ?? conformTo(JSON.parse(text));
  known.set(text, conform);
  return conform;
}

export function conformTo(document: Description): Client['onAnswer'] {
  const faultsOf = schemaChecker(document);
  return (method, path, answer) => {
    const item = pathItem(document, path);
    const operation = item?.[(method === 'HEAD' ? 'GET' : method).toLowerCase()];
    const where = `${method} ${path} → ${answer.status} ${answer.text.slice(0, 300)}`;
    const described =
      (operation ? operation.responses[answer.status] : withoutRoute(item !== undefined, path, answer)) ??
      general(document, answer);
    if (described === 'exempt') return;
    assert.ok(described, `the document has no such answer: ${where}`);

    for (const name of Object.keys(described.headers ?? {})) {
      assert.ok(answer.headers.has(name), `no header ${name}: ${where}`);
    }
    const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
    if (method === 'HEAD' || !described.content) {
      assert.equal(answer.text, '', `a body where the document has none: ${where}`);
      return;
    }
    const content = described.content[type];
    assert.ok(content, `media type ${type} is not in the document: ${where}`);
    if (!type.endsWith('json')) return;
    assert.deepEqual(faultsOf(content.schema, answer.body), [], `against its schema: ${where}`);
    if (type === problemType) {
      assert.equal(answer.body.status, answer.status, where);
      assert.ok(answer.body.code in (content.examples ?? {}), `the code is not in the document: ${where}`);
    }
  };
}

/** Says what a value has against a schema of the document. */
export function schemaChecker(document: Description): (schema: Schema, value: unknown) => string[] {
  const ajv = new Ajv2020({ strict: true, allErrors: true });
  formats.default(ajv);
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    ajv.addSchema(localRefs(schema), name);
  }
  const compiled = new Map<Schema, ReturnType<typeof ajv.compile>>();
  return (schema, value) => {
    const check = compiled.get(schema) ?? ajv.compile(localRefs(schema));
    compiled.set(schema, check);
    check(value);
    return (check.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}

/** `#/components/schemas/User` as the name by which Ajv knows it. */
function localRefs(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema), (key, value) =>
    key === '$ref' ? String(value).replace('#/components/schemas/', '') : value,
  );
}

function pathItem({ paths }: Description, target: string): Description['paths'][string] | undefined {
  const path = decoded(target.split('?')[0] ?? '');
  const template = Object.keys(paths).find(
    one =>
      one === path ||
      new RegExp(`^${one.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
  return template === undefined ? undefined : paths[template];
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** What any route may answer, by code. */
function general({ paths }: Description, { body, status }: Answer): Described | undefined {
  const described = paths['/openapi.json']?.['get']?.responses['default'];
  const example = described?.content?.[problemType]?.examples?.[body?.code]?.value as
    | { status: number }
    | undefined;
  return example?.status === status ? described : undefined;
}

/** The one rule for what no operation describes: the page's own files, CORS preflights, no such path, no such method. */
function withoutRoute(
  pathIsKnown: boolean,
  path: string,
  { status, headers }: Answer,
): Described | 'exempt' | undefined {
  if (/^\/docs\/[a-z-]+\.(?:css|js|svg)$/.test(path))
    return status === 503 ? problem('overloaded', { 'retry-after': {} }) : 'exempt';
  if (status === 204 && headers.has('access-control-allow-methods')) return 'exempt';
  if (status === 404 && !pathIsKnown) return problem('not_found', {});
  if (status === 405) return problem('method_not_allowed', { allow: {} });
  return undefined;
}

function problem(code: string, headers: Record<string, unknown>): Described {
  const examples = { [code]: { value: {} } };
  return { description: code, headers, content: { [problemType]: { schema: problemSchema, examples } } };
}

/** One for all, because what is compiled is kept by the schema. */
const problemSchema = { $ref: '#/components/schemas/Problem' };
