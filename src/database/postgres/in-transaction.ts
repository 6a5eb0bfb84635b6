import { hash } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
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

/**
 * Waits for its turn among all who lock this name. The lock ends with the transaction, also where a pooler between gives
 * each transaction another connection.
 */
export async function lockName<Tables>(tx: Transaction<Tables>, name: string): Promise<void> {
  const key = hash('sha256', `plinth ${name}`, 'buffer').readBigInt64BE();
  await sql`select pg_advisory_xact_lock(cast(${String(key)} as bigint))`.execute(tx);
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
