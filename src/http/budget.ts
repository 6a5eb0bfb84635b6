import type { FastifyInstance } from 'fastify';
import type { Within } from '../database/engine.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** In what time the request waits for the database. */
    within: Within;
  }
}

/** Gives every request a budget of its own. Add it before whatever asks the database. */
export function budgetRequests(app: FastifyInstance, openBudget: () => Within): void {
  app.decorateRequest('within');
  app.addHook('onRequest', (request, _reply, done) => {
    request.within = openBudget();
    request.within(done);
  });
  // A body is read in events of the connection, and what follows from those is in no budget.
  app.addHook('preValidation', (request, _reply, done) => request.within(done));
}
