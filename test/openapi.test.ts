import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type TestContext, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { startApp, type TestApp } from './helpers/app.ts';
import type { Answer } from './helpers/client.ts';
import {
  conformTo,
  type Description,
  type Operation,
  type Schema,
  schemaChecker,
} from './helpers/conformance.ts';

test('the document is valid OpenAPI 3.1 and nothing private is in it', async t => {
  const app = await startApp(t);
  const { body, headers } = await app.get('/openapi.json');
  assert.equal(headers.get('content-type'), 'application/json; charset=utf-8');
  assert.match(body.openapi, /^3\.1\./);
  assert.deepEqual(await validate(body), { valid: true });
  const names = JSON.stringify(body).matchAll(/"([^"\\]*)":/g);
  const strange = [...names]
    .map(([, name = '']) => name)
    .filter(name => /^[~$]|^x-/.test(name) && name !== '$ref');
  assert.deepEqual(strange, []);

  const { info, ...untitled } = body;
  assert.equal((await validate(untitled)).valid, false, 'the validator accepts what is no document');
});

test('every route is described, and nothing else is', async t => {
  const { routes, document } = await startDescribed(t);
  const described = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map(method => `${method.toUpperCase()} ${path}`),
  );
  const registered = routes
    .filter(({ url, method }) => method !== 'HEAD' && !url.startsWith('/docs/'))
    .map(({ url, method }) => `${String(method)} ${url.replaceAll(/:(\w+)/g, '{$1}')}`);
  assert.deepEqual(described.sort(), registered.sort());
  assert.ok(registered.length > 8);
});

test('what the document says about credentials is what a request without them gets', async t => {
  const { app, routes, document } = await startDescribed(t);
  for (const { method, url } of routes) {
    const path = url.replaceAll(/:(\w+)/g, '019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17');
    const { status, headers } = await app.request(String(method), path);
    const operation =
      document.paths[url.replaceAll(/:(\w+)/g, '{$1}')]?.[
        method === 'HEAD' ? 'get' : String(method).toLowerCase()
      ];
    const security = JSON.stringify(operation?.security ?? []);
    assert.equal(
      security,
      status === 401 ? '[{"password":[]},{"bearer":[]}]' : '[]',
      `${method} ${url}: ${status}`,
    );
    if (status === 401) assert.equal(headers.get('www-authenticate'), 'Bearer realm="plinth"');
  }
  assert.ok(routes.some(({ config }) => config?.access === 'session'));
});

test('every operation says what it is', async t => {
  const { document } = await startDescribed(t);
  const tags = document.tags.map(({ name }) => name);
  const ids = operationsOf(document).map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const { name, operation } of operationsOf(document)) {
    assert.match(operation.operationId, /^[a-z][A-Za-z]+$/, name);
    assert.match(operation.summary, /^[A-Z]/, name);
    assert.equal(operation.tags.length, 1, name);
    for (const [status, { description, content, headers }] of Object.entries(operation.responses)) {
      assert.notEqual(description, 'Default Response', `${name} ${status}`);
      assert.equal(content === undefined, status === '204' || status === '304', `${name} ${status}: content`);
      if (status === '503')
        assert.ok(headers?.['Retry-After'] || !content?.['application/problem+json'], name);
    }
    for (const { schema } of Object.values(operation.requestBody?.content ?? {})) {
      assert.match(
        String(schema['$ref']),
        /^#\/components\/schemas\/[A-Z]/,
        `${name}: a body without a name`,
      );
    }
  }
  assert.deepEqual(
    tags.filter(tag => !operationsOf(document).some(({ operation }) => operation.tags.includes(tag))),
    [],
  );
});

test('every example of a request is accepted', async t => {
  const { document } = await startDescribed(t);
  const statuses: Record<string, number> = {
    register: 201,
    login: 200,
    updateMe: 200,
    deleteMe: 204,
    changePassword: 204,
    // No example can be a token of a session that is there.
    refresh: 401,
  };
  const person = example(document, { $ref: '#/components/schemas/Registration' }) as Credentials;
  assert.deepEqual(Object.keys(person), ['email', 'password', 'name']);
  for (const { method, path, operation } of operationsOf(document)) {
    for (const [type, { schema }] of Object.entries(operation.requestBody?.content ?? {})) {
      const app = await startApp(t);
      if (operation.operationId !== 'register') await app.post('/users', person);
      const token = operation.security.length > 0 ? { token: await app.login(person) } : {};
      const body = example(document, schema);
      const isForm = type === 'application/x-www-form-urlencoded';
      const { status, text } = await app.request(method.toUpperCase(), path, {
        ...(isForm ? { form: body as Record<string, string> } : { json: body }),
        ...token,
      });
      assert.ok(![400, 415, 422].includes(status), `${method} ${path}: ${text}`);
      assert.equal(status, statuses[operation.operationId] ?? status, `${method} ${path}: ${text}`);
    }
  }
});

test('every example of an answer is one', async t => {
  const { document } = await startDescribed(t);
  const faultsOf = schemaChecker(document);
  let count = 0;
  for (const { name, operation } of operationsOf(document)) {
    for (const [status, { content = {} }] of Object.entries(operation.responses)) {
      for (const [type, { schema, examples }] of Object.entries(content)) {
        if (!type.endsWith('json')) continue;
        const values = examples
          ? Object.values(examples).map(({ value }) => value)
          : [example(document, schema)];
        for (const value of values)
          assert.deepEqual(faultsOf(schema, value), [], `${name} ${status} ${type}`);
        count += values.length;
      }
    }
  }
  assert.ok(count > 20);
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    assert.deepEqual(faultsOf(schema, example(document, schema)), [], name);
  }
});

test('an answer that is not in the document is caught', async t => {
  const { app, document } = await startDescribed(t);
  const conform = conformTo(document);
  const person = await app.person();
  const me = await app.get('/me', { token: person.token });
  conform('GET', '/me', me);

  const planted: readonly [what: string, answer: Partial<Answer>, path?: string][] = [
    ['a field too many', { body: { ...me.body, password_hash: '$2b$' } }],
    ['a field too few', { body: { ...me.body, email: undefined } }],
    ['a wrong type', { body: { ...me.body, name: 1 } }],
    ['a wrong form', { body: { ...me.body, id: '1' } }],
    ['a time without a zone', { body: { ...me.body, created_at: '2026-11-22T08:30:00' } }],
    ['a status', { status: 201 }],
    ['a media type', { headers: new Headers({ 'content-type': 'text/html' }) }],
    ['a problem where none belongs', await app.get('/nothing')],
    ['another route’s answer', me, '/health'],
    ['an answer where no route is', me, '/nothing'],
    [
      'no challenge',
      { ...(await app.get('/me')), headers: new Headers({ 'content-type': 'application/problem+json' }) },
    ],
    ['a body with 204', { status: 204 }, '/me/deletion'],
  ];
  for (const [what, part, path = '/me'] of planted) {
    const answer = JSON.parse(JSON.stringify({ ...me, ...part })) as Answer;
    const method = path === '/me/deletion' ? 'POST' : 'GET';
    assert.throws(
      () => conform(method, path, { ...answer, headers: part.headers ?? me.headers }),
      assert.AssertionError,
      what,
    );
  }
});

type Credentials = Readonly<Record<'email' | 'password', string>>;

interface Described {
  readonly app: TestApp;
  readonly document: Description;
  /** As Fastify was given them, whether described or hidden. */
  readonly routes: readonly RouteOptions[];
}

async function startDescribed(t: TestContext): Promise<Described> {
  const routes: RouteOptions[] = [];
  const watch = (message: unknown): void => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', route => void routes.push(route));
  };
  subscribe('fastify.initialization', watch);
  const app = await startApp(t).finally(() => unsubscribe('fastify.initialization', watch));
  const { body: document } = await app.get('/openapi.json');
  return { app, document, routes };
}

async function validate(document: object) {
  return await new Validator().validate(JSON.parse(JSON.stringify(document)));
}

function operationsOf({ paths }: Description) {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]: [string, Operation]) => ({
      name: `${method} ${path}`,
      method,
      path,
      operation,
    })),
  );
}

/** The value that the examples in a schema make up, as the page shows it. A field that may be left out needs none. */
function example(document: Description, schema: Schema): unknown {
  if (typeof schema['$ref'] === 'string') {
    return example(
      document,
      document.components.schemas[schema['$ref'].replace('#/components/schemas/', '')] ?? {},
    );
  }
  const { examples, enum: values, properties, required = [], items, anyOf, type } = schema;
  if (Array.isArray(examples)) return examples[0];
  if (Array.isArray(values)) return values[0];
  if (Array.isArray(anyOf)) return example(document, anyOf[0]);
  if (type === 'array') return [example(document, items as Schema)];
  if (type !== 'object') return undefined;
  return Object.fromEntries(
    Object.entries((properties ?? {}) as Record<string, Schema>)
      .map(([name, property]) => [name, example(document, property)] as const)
      .filter(([name, value]) => value !== undefined || (required as string[]).includes(name)),
  );
}
