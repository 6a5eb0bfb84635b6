import type { FastifyRequest } from 'fastify';
import findMyWay from 'find-my-way';
import type { Routes } from './routes.ts';

export type MethodsAt = (request: FastifyRequest) => string | undefined;

/**
 * The methods of the path of a request that no route took, as `Allow` lists them; undefined when there is no such path.
 * Watches the routes that are added from now on, and reads paths with the library that routes with them, so that there
 * is one idea of what a path is.
 */
export function watchMethods(app: Routes): MethodsAt {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    // Where http/cors.ts answers the questions of browsers, whatever they are about.
    if (url === '*') return;
    const methods = methodsOf.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsOf.set(url, methods);
  });
  const paths = findMyWay();
  app.addHook('onReady', done => {
    for (const [url, methods] of methodsOf)
      paths.on('GET', url, () => undefined, [...methods].sort().join(', '));
    done();
  });
  return request => {
    const store: unknown = paths.find('GET', request.url)?.store;
    return typeof store === 'string' ? store : undefined;
  };
}
