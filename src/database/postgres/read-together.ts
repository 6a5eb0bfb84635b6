import { type CompiledQuery, type Kysely, sql } from 'kysely';
import type { Params, PreparedRead } from '../prepared.ts';
import type { Asker } from './budgets.ts';
import { types } from './migrate.ts';
import { type Execute, type Found, ReadQueue } from './read-queue.ts';

export type Together<Tables> = <Values extends object, Row>(
  read: PreparedRead<Tables, Values, Row>,
  values: Values,
  alone: () => Promise<Row[]>,
  asker: Asker,
) => Promise<Row[]>;

/**
 * Runs the prepared reads that are asked for at one moment as one query. Nothing is shared but the way: each has its own
 * values, and the query is sent after all of them were asked for, so that each sees what was committed before.
 */
export function readTogether<Tables>(
  db: Kysely<Tables>,
  execute: Execute,
  apart: (work: () => void) => void,
): Together<Tables> {
  const queues = new WeakMap<object, unknown>();

  function queueOf<Values extends object, Row>(
    read: PreparedRead<Tables, Values, Row>,
  ): ReadQueue<Values, Row> {
    // One for each definition, and so of its types.
    const known = queues.get(read) as ReadQueue<Values, Row> | undefined;
    if (known) return known;
    const queue = new ReadQueue<Values, Row>(() => combined(db, read), execute, apart);
    queues.set(read, queue);
    return queue;
  }

  return (read, values, alone, asker) => queueOf(read).ask(values, alone, asker);
}

/**
 * The read for many rows of values. It is made for each of them, by the same indexes as alone: that is why it is a value
 * of the list, and not joined to it.
 */
function combined<Tables, Values extends object, Row>(
  db: Kysely<Tables>,
  { kinds, build }: PreparedRead<Tables, Values, Row>,
): CompiledQuery<Found> {
  const columns = Object.entries(kinds).map(([name, kind]) => sql`${sql.id(name)} ${sql.raw(types[kind])}`);
  const asked = new Proxy({} as Params<Values>, { get: (_, name) => sql.ref(`asked.${String(name)}`) });
  return sql<Found>`select json_agg((select json_agg(found) from (${build(db, asked)}) as found) order by asked_turn) as found
    from json_to_recordset(cast(${null} as json)) as asked (asked_turn integer, ${sql.join(columns)})`.compile(
    db,
  );
}
