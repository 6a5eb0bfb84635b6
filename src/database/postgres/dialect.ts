import {
  type ConnectionProvider,
  type DatabaseConnection,
  DefaultQueryExecutor,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  Transaction,
} from 'kysely';

/** Kysely for statements that have nothing to do with each other. */
export function kyselyOn<Tables>(connection: DatabaseConnection): Kysely<Tables> {
  return new Kysely(props({ provideConnection: consumer => consumer(connection) }));
}

/** Kysely's view of a transaction that is open on a connection; its statements run one after the other. */
export function transactionOn<Tables>(connection: DatabaseConnection): Transaction<Tables> {
  return new Transaction(props(inOrder(connection)));
}

function props(provider: ConnectionProvider) {
  const adapter = new PostgresAdapter();
  const compiler = new PostgresQueryCompiler();
  const driver = new DummyDriver();
  const dialect = {
    createAdapter: () => adapter,
    createDriver: () => driver,
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
    createQueryCompiler: () => compiler,
  };
  const executor = new DefaultQueryExecutor(compiler, adapter, provider);
  return { config: { dialect }, dialect, driver, executor };
}

/** A connection of PostgreSQL runs one statement at a time. */
function inOrder(connection: DatabaseConnection): ConnectionProvider {
  let last: Promise<unknown> = Promise.resolve();
  return {
    provideConnection(consumer) {
      const next = last.then(() => consumer(connection));
      last = next.catch(() => {});
      return next;
    },
  };
}
