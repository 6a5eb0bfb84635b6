import type { Kysely } from 'kysely';
import type { DatabaseOptions } from '../engine.ts';
import { inTime } from './budgets.ts';
import type { PostgresConnection } from './connection.ts';
import { kyselyOn } from './dialect.ts';
import { Lease } from './turn.ts';

/** As long as the server gives a statement. */
const usualLimit = 5000;

/**
 * What is read at a start beside the migrations. It waits for nobody, so where it takes long the server has gone silent,
 * and who starts has to fail rather than wait for good.
 */
export function readsAtStart<Tables>(
  connection: PostgresConnection,
  { serverLimits: { statement: limit = usualLimit } = {} }: Pick<DatabaseOptions, 'serverLimits'>,
): Kysely<Tables> {
  const lease = new Lease(connection);
  return kyselyOn({
    executeQuery: query => inTime(lease.executeQuery(query), limit, error => connection.destroy(error)),
    streamQuery: query => lease.streamQuery(query),
  });
}
