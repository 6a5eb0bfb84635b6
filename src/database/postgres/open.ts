import type { DatabaseOptions, Engine, Patience, ServerLimits } from '../engine.ts';
import { loadMigrations, migrationsFolder } from '../migrations.ts';
import { type Address, describeAddress } from './address.ts';
import { Budgets } from './budgets.ts';
import { PostgresConnection } from './connection.ts';
import { findSettingsOff } from './durability.ts';
import { PostgresEngine } from './engine.ts';
import { failureOf } from './failures.ts';
import { findConstraints, migrate } from './migrate.ts';
import { Pool } from './pool.ts';
import { readsAtStart } from './start-reads.ts';
import { StatementNames } from './statement-names.ts';

/**
 * A statement or a transaction that takes longer is given up, with its connection; a request may take several, and has so
 * long for all of them. A connection that was begun when its server went silent has to make room within two seconds of the
 * return of another.
 */
const usualPatience: Patience = { statement: 1200, transaction: 1700, connection: 1500, request: 3000 };

/**
 * Whoever waits for a lock is told by the server, before the connection counts as one that hangs; after the server's own
 * look for deadlocks, which takes a second. The others are for what a node that is gone has left behind.
 */
const usualLimits: ServerLimits = { statement: 5000, lock: 1500, idle: 5000 };
const defaultConnections = 10;

export async function openPostgres<Tables>(
  address: Address,
  options: DatabaseOptions,
): Promise<Engine<Tables>> {
  const migrations = await loadMigrations(options.migrations ?? migrationsFolder);
  try {
    // Without limits: a migration of large tables takes its time, and so does the wait for another node's.
    const setUp = { names: new StatementNames(0), constraints: new Map() };
    const connection = await PostgresConnection.open(address, setUp);
    try {
      await migrate(connection, migrations, options, options.now ?? (() => new Date()));
      const reads = readsAtStart<unknown>(connection, options);
      if (options.onNotDurable) {
        const off = await findSettingsOff(reads);
        if (off.length > 0) options.onNotDurable(off);
      }
      const constraints = await findConstraints(reads);
      const names = new StatementNames();
      const patience = { ...usualPatience, ...options.patience };
      const limits = { ...usualLimits, ...options.serverLimits };
      const pool = new Pool(options.connections ?? defaultConnections, () =>
        PostgresConnection.open(address, { connectLimit: patience.connection, limits, names, constraints }),
      );
      const { together = true, random = Math.random, monotonic = () => performance.now() } = options;
      const budgets = new Budgets({ limit: patience.request, monotonic });
      return new PostgresEngine({ pool, budgets, patience, together, random });
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw failureOf(`the database ${describeAddress(address)}`, error);
  }
}
