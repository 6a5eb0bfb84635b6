import { setTimeout as delay } from 'node:timers/promises';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { isReadonlyCompiledQuery } from 'kysely/readonly';
import type { Engine, Patience, ReadQueries, Work } from '../engine.ts';
import { DatabaseUnavailable } from '../errors.ts';
import type { Budgets } from './budgets.ts';
import type { PostgresConnection } from './connection.ts';
import { kyselyOn, transactionOn } from './dialect.ts';
import { isTransient } from './failures.ts';
import { inTransaction } from './in-transaction.ts';
import { lockHistory } from './migrate.ts';
import type { Pool } from './pool.ts';
import { readTogether } from './read-together.ts';
import { Lease, Turn } from './turn.ts';

interface Parts {
  readonly pool: Pool;
  readonly budgets: Budgets;
  readonly patience: Omit<Patience, 'request'>;
  readonly together: boolean;
  /** 0 to 1. */
  readonly random: () => number;
}

/** How often a transaction is begun that others are in the way of. */
const maxAttempts = 5;

export class PostgresEngine<Tables> implements Engine<Tables> {
  readonly db: ReadQueries<Tables>;
  readonly inBudget: (work: () => void) => void;
  readonly #pool: Pool;
  readonly #budgets: Budgets;
  readonly #patience: Parts['patience'];
  readonly #random: () => number;
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor({ pool, budgets, patience, together, random }: Parts) {
    this.#pool = pool;
    this.#budgets = budgets;
    this.#patience = patience;
    this.inBudget = work => budgets.open(work);
    this.#random = random;
    const reads: DatabaseConnection = {
      executeQuery: query => this.#read(query),
      streamQuery: () => {
        throw new Error('reads are not streamed');
      },
    };
    const builder = kyselyOn<Tables>(reads);
    const executeQuery = <R>(query: CompiledQuery<R>) => this.#read<R>(query);
    const share: ReadQueries<Tables>['share'] = work => budgets.share(() => budgets.apart(work));
    const direct = Object.assign(builder, { executeQuery, share });
    if (together) {
      const ask = readTogether(
        builder,
        query => this.#run(query),
        work => budgets.apart(work),
      );
      // Not in the budget of who happens to be the first.
      const shared: ReadQueries<Tables>['together'] = (read, values, alone) =>
        budgets.share(asker => ask(read, values, alone, asker));
      this.db = Object.assign(direct, { together: shared });
    } else this.db = direct;
  }

  async transaction<T>(work: Work<Tables, T>): Promise<T> {
    return await this.#attempt(connection => inTransaction(connection, work), this.#patience.transaction);
  }

  async statement<T>(work: Work<Tables, T>): Promise<T> {
    return await this.#attempt(connection => work(transactionOn(new Lease(connection, 1))));
  }

  async exclusive<T>(work: Work<Tables, T>): Promise<T> {
    return await this.transaction(async tx => {
      await lockHistory(tx);
      return await work(tx);
    });
  }

  async ping(): Promise<void> {
    await this.#attempt(connection => connection.command('select 1'));
  }

  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(() => this.#pool.close());
    return this.#closed;
  }

  async #read<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (!isReadonlyCompiledQuery(query)) throw new Error('attempt to write through a readonly connection');
    return await this.#run<R>(query);
  }

  async #run<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return await this.#attempt(connection => connection.run<R>(query));
  }

  /** Once, or more often where nothing was done and another attempt may do better. */
  async #attempt<T>(
    work: (connection: PostgresConnection) => Promise<T>,
    patience = this.#patience.statement,
  ): Promise<T> {
    if (this.#closed) throw new DatabaseUnavailable('the database is closing');
    const running = this.#budgets.spend(left => this.#turn(work, patience, left));
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async #turn<T>(
    work: (connection: PostgresConnection) => Promise<T>,
    patience: number,
    left: number,
  ): Promise<T> {
    const turn = new Turn(this.#pool);
    const attempts = async (): Promise<T> => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await turn.withConnection(work);
        } catch (error) {
          if (!isTransient(error) || attempt === maxAttempts || turn.over) throw error;
        }
        await delay(2 ** attempt * (0.5 + this.#random()));
      }
    };
    return await turn.run(attempts, patience, left);
  }
}
