import { fileURLToPath } from 'node:url';
import { startPostgres } from '../helpers/postgres/start.ts';
import type { Scope } from '../helpers/scope.ts';
import type { Experiment, Plan } from './experiment.ts';
import { killAgain } from './kill.ts';

export const nodes: Experiment = {
  name: 'nodes',
  shows:
    'kill -9 of one of three nodes on PostgreSQL, and in the end of all: nothing is lost, left locked or left open',
  run: async (scope, plan) => await killAgain(scope, await onPostgres(scope, plan), {}),
  control: async (scope, plan) =>
    await killAgain(
      scope,
      { ...(await onPostgres(scope, plan)), rounds: 1, scale: 'short' },
      { entry: fileURLToPath(new URL('./hasty-service.ts', import.meta.url)) },
    ),
};

/** On the database that was named, or on a server of its own. */
export async function onPostgres(scope: Scope, plan: Plan): Promise<Plan & { readonly database: string }> {
  if (plan.database !== undefined) return { ...plan, database: plan.database };
  const server = await startPostgres();
  scope.after(() => server.end());
  return { ...plan, database: server.url };
}
