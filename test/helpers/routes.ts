import assert from 'node:assert/strict';
import type { FastifyInstance } from 'fastify';

/** Every route that the router knows, as `METHOD /path`, read from its own print of itself. */
export async function routesOf(app: FastifyInstance): Promise<string[]> {
  await app.ready();
  const branch: string[] = [];
  const lines = app.printRoutes({ commonPrefix: false }).trimEnd().split('\n');
  return lines.flatMap(line => {
    const [, indent = '', part = '', methods = ''] =
      /^((?:│ {3}| {4})*)[├└]── (\S+)(?: \((.+)\))?$/.exec(line) ?? [];
    assert.notEqual(part, '', `cannot read ${line}`);
    branch.splice(indent.length / 4, Number.POSITIVE_INFINITY, part);
    return methods === '' ? [] : methods.split(', ').map(method => `${method} ${branch.join('')}`);
  });
}
