import Type from 'typebox';
import type { Database } from './database.ts';
import type { Routes } from './http/routes.ts';
import { closed } from './schemas.ts';

const Health = (status: 'ok' | 'unavailable') =>
  Type.Object({ status: Type.Literal(status), database: Type.Literal(status) }, closed);
/** A service that was told to stop is not ready, however well its database is. */
const NotReady = Type.Object(
  { status: Type.Literal('unavailable'), database: Type.Enum(['ok', 'unavailable']) },
  closed,
);
const Live = Type.Object({ status: Type.Literal('ok') }, closed);

interface HealthRoutes {
  readonly database: Pick<Database, 'ping'>;
  /** Whether the service has been told to stop. */
  readonly isDraining: () => boolean;
}

/** Milliseconds after which a database that has not answered is called unavailable. */
const patience = 1500;

export function healthRoutes(app: Routes, { database, isDraining }: HealthRoutes): void {
  const response = { 200: Health('ok'), 503: Health('unavailable') };

  app.get(
    '/health',
    {
      config: { access: 'public', importance: 'vital' },
      schema: { operationId: 'getHealth', summary: 'Whether the service and its database answer', response },
    },
    async (_, reply) => {
      if (await answers(database)) return { status: 'ok', database: 'ok' } as const;
      return reply.code(503).send({ status: 'unavailable', database: 'unavailable' });
    },
  );

  app.get(
    '/health/live',
    {
      config: { access: 'public', importance: 'vital' },
      schema: {
        operationId: 'getLiveness',
        summary: 'Whether the event loop turns',
        response: { 200: Live },
      },
    },
    async () => ({ status: 'ok' }) as const,
  );

  app.get(
    '/health/ready',
    {
      config: { access: 'public', importance: 'vital' },
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether requests can be served now',
        response: { 200: response[200], 503: NotReady },
      },
    },
    async (_, reply) => {
      const answered = await answers(database);
      if (answered && !isDraining()) return { status: 'ok', database: 'ok' } as const;
      const state = answered ? 'ok' : 'unavailable';
      return reply.code(503).send({ status: 'unavailable', database: state });
    },
  );
}

async function answers(database: Pick<Database, 'ping'>): Promise<boolean> {
  const { promise: timeout, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, patience, false);
  const ping = database.ping().then(
    () => true,
    () => false,
  );
  const answered = await Promise.race([ping, timeout]);
  clearTimeout(timer);
  return answered;
}
