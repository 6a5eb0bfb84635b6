import type { Work } from '../engine.ts';
import type { PostgresConnection } from './connection.ts';
import { transactionOn } from './dialect.ts';
import { Lease } from './turn.ts';

/** Begins, lets `work` do its part, and commits, or rolls back where it throws. */
export async function inTransaction<Tables, T>(
  connection: PostgresConnection,
  work: Work<Tables, T>,
): Promise<T> {
  // Said each time: the default is a setting of the server.
  await connection.command('begin isolation level read committed read write');
  const lease = new Lease(connection);
  let result: T;
  try {
    result = await work(transactionOn(lease));
  } catch (error) {
    lease.end();
    await rollBack(connection);
    throw error;
  }
  lease.end();
  // The server answers otherwise where a statement had failed and `work` went on as if it had not.
  if ((await connection.command('commit')) !== 'COMMIT') throw new Error('the transaction was rolled back');
  return result;
}

/** What cannot be rolled back ends with its connection. */
async function rollBack(connection: PostgresConnection): Promise<void> {
  if (!connection.usable) return;
  try {
    await connection.command('rollback');
  } catch (error) {
    connection.destroy(error);
  }
}
