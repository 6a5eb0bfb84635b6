import type { Database, Transaction } from '../../src/database.ts';

export type Work<T> = (tx: Transaction) => Promise<T>;

/** What is done around each transaction, of whatever kind: `run` runs one. */
export type Around = <T>(run: (work: Work<T>) => Promise<T>, work: Work<T>) => Promise<T>;

/** A database that does something else than another one in its transactions. */
export function wrappedDatabase(database: Database, around: Around): Database {
  return {
    db: database.db,
    ...(database.inBudget && { inBudget: database.inBudget }),
    transaction: work => around(inside => database.transaction(inside), work),
    statement: work => around(inside => database.statement(inside), work),
    exclusive: work => around(inside => database.exclusive(inside), work),
    ping: () => database.ping(),
    close: () => database.close(),
  };
}
