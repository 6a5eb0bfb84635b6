import { type CompiledQuery, type Kysely, sql } from 'kysely';
import type { ReadQueries } from '../engine.ts';
import type { Kind, Params, PreparedRead } from '../prepared.ts';
import { type Answer, type Execute, ReadQueue } from './read-queue.ts';

/**
 * Runs the prepared reads that are asked for at one moment as one query. Nothing is shared but the way: each has its own
 * values, and the query is sent after all of them were asked for, so that each sees what was committed before.
 */
export function readTogether<Tables>(
  db: Kysely<Tables>,
  execute: Execute,
  apart: (work: () => void) => void,
): NonNullable<ReadQueries<Tables>['together']> {
  const queues = new WeakMap<object, unknown>();

  function queueOf<Values extends object, Row>(
    read: PreparedRead<Tables, Values, Row>,
  ): ReadQueue<Values, Row> {
    // One for each definition, and so of its types.
    const known = queues.get(read) as ReadQueue<Values, Row> | undefined;
    if (known) return known;
    const queue = new ReadQueue<Values, Row>(
      Object.keys(read.kinds),
      () => combined(db, read),
      execute,
      apart,
    );
    queues.set(read, queue);
    return queue;
  }

  return (read, values, alone) => queueOf(read).ask(values, alone);
}

/** The read for many rows of values: it is made for each of them, by the same indexes as alone. */
function combined<Tables, Values extends object, Row>(
  db: Kysely<Tables>,
  { kinds, build }: PreparedRead<Tables, Values, Row>,
): CompiledQuery<Answer<Row>> {
  const columns = Object.values(kinds).map(kind => sql`cast(${null} as ${sql.raw(arrayTypes[kind])})`);
  const names = Object.keys(kinds).map(name => sql.id(name));
  const asked = new Proxy({} as Params<Values>, { get: (_, name) => sql.ref(`asked.${String(name)}`) });
  return sql<Answer<Row>>`select found.*, asked.asked_turn
    from unnest(${sql.join(columns)}) with ordinality as asked (${sql.join(names)}, asked_turn)
    cross join lateral (${build(db, asked)}) as found`.compile(db);
}

const arrayTypes: Readonly<Record<Kind, string>> = {
  id: 'uuid[]',
  text: 'text[]',
  integer: 'bigint[]',
  time: 'timestamptz[]',
};
