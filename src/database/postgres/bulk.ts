import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import type { AnyTables, BulkOptions, BulkSource, BulkTable, BulkTarget } from '../bulk.ts';
import type { DatabaseOptions } from '../engine.ts';
import { DatabaseRefused } from '../errors.ts';
import { loadMigrations, migrationsFolder } from '../migrations.ts';
import { type Address, describeAddress } from './address.ts';
import { findTables, listed, lock } from './bulk-tables.ts';
import { PostgresConnection } from './connection.ts';
import { kyselyOn, transactionOn } from './dialect.ts';
import { failureOf } from './failures.ts';
import { migrate } from './migrate.ts';
import { StatementNames } from './statement-names.ts';
import { Lease } from './turn.ts';

/**
 * In one read transaction, with all tables locked against changes, and only while no node is connected: it would write
 * to what has been moved, once the locks are gone. Throws `DatabaseRefused`, `DatabaseUnavailable`.
 */
export async function readPostgres(address: Address, options: BulkOptions): Promise<BulkSource> {
  return await opened(address, async connection => {
    await bringUpToDate(connection, { ...options, migrate: false });
    await refuseNodes(connection);
    const tables = await findTables(connection);
    // The locks first: the moment that is read is that of the first query.
    await begin(connection, 'isolation level repeatable read read only');
    await lock(connection, tables, 'share');
    return {
      ...contentsOf(connection, tables),
      confirm: () => about(address, () => refuseNodes(connection)),
    };
  });
}

/** In one transaction, alone. Throws `DatabaseRefused` where there are rows, `DatabaseUnavailable`. */
export async function fillPostgres(address: Address, options: BulkOptions): Promise<BulkTarget> {
  return await opened(address, async connection => {
    // Before it is migrated, because then it would have been changed.
    for (const { name } of await findTables(connection)) await refuseRows(connection, name);
    await bringUpToDate(connection, options);
    const tables = await findTables(connection);
    await begin(connection, 'isolation level read committed read write');
    await lock(connection, tables, 'exclusive');
    for (const { name } of tables) await refuseRows(connection, name);
    // Whose it is says the source; `accept` has seen that it is nobody else's.
    await connection.command('delete from instance');
    return {
      ...contentsOf(connection, tables),
      async publish() {
        await connection.command(`analyze ${listed(tables)}`);
        if ((await connection.command('commit')) !== 'COMMIT') throw new Error('it was rolled back');
      },
    };
  });
}

/** A connection of which something is made, and which ends with that. */
async function opened<T extends object>(
  address: Address,
  work: (connection: PostgresConnection) => Promise<T>,
): Promise<T & AsyncDisposable & { readonly what: string }> {
  const names = new StatementNames();
  names.giveUp();
  return await about(address, async () => {
    const connection = await PostgresConnection.open(address, { names, constraints: new Map() });
    try {
      const made = await work(connection);
      return Object.assign(made, { what: nameOf(address), [Symbol.asyncDispose]: () => end(connection) });
    } catch (error) {
      await end(connection);
      throw error;
    }
  });
}

async function about<T>(address: Address, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(nameOf(address), error);
  }
}

function nameOf(address: Address): string {
  return `the database ${describeAddress(address)}`;
}

/** The server rolls back what was not committed. */
async function end(connection: PostgresConnection): Promise<void> {
  if (connection.usable) await connection.close();
}

async function bringUpToDate(connection: PostgresConnection, options: DatabaseOptions): Promise<void> {
  await migrate(
    connection,
    await loadMigrations(options.migrations ?? migrationsFolder),
    options,
    () => new Date(),
  );
}

/** Whatever limits the server has: this may take long, and nobody waits for it but for its locks. */
async function begin(connection: PostgresConnection, mode: string): Promise<void> {
  await connection.command(`begin ${mode}`);
  await connection.command('set local statement_timeout = 0');
  await connection.command('set local idle_in_transaction_session_timeout = 0');
  await connection.command("set local lock_timeout = '10s'");
}

/** Nodes call themselves `plinth`, as this connection does. Those that are just leaving get half a second. */
async function refuseNodes(connection: PostgresConnection): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const { rows } = await sql<{ pid: number }>`
      select pid from pg_stat_activity
      where datname = current_database() and application_name = 'plinth' and pid <> pg_backend_pid()
      order by pid`.execute(db(connection));
    if (rows.length === 0) return;
    const pids = rows.map(({ pid }) => pid).join(', ');
    if (attempt === 5)
      throw new DatabaseRefused(`is in use: stop the service first (processes ${pids} of the server)`);
    await delay(100);
  }
}

/** What an installation is made with is there before anybody uses it. */
async function refuseRows(connection: PostgresConnection, table: string): Promise<void> {
  if (table === 'instance') return;
  const rows = await db(connection).selectFrom(table).select(sql`1`.as('one')).limit(1).execute();
  if (rows.length > 0) throw new DatabaseRefused(`is not empty: it has ${table}`);
}

function contentsOf(connection: PostgresConnection, tables: readonly BulkTable[]) {
  return { tables, db: transactionOn<AnyTables>(new Lease(connection)) };
}

function db(connection: PostgresConnection) {
  return kyselyOn<AnyTables>(new Lease(connection));
}
