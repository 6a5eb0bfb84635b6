import type { Database } from '../../src/database.ts';
import { buildable } from '../helpers/faulty-database.ts';

/** An attempt is counted before it is known how it ends: that is to stay, whatever fails after it. */
const counts = 'limits';

/** Every row of every other table, by table and primary key. */
export type State = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** What reads the state of a database; its tables are asked for once. */
export async function stateReader(database: Database): Promise<() => Promise<State>> {
  const db = buildable(database.db);
  // Whatever tables there are, those of features to come included.
  const tables = (await db.introspection.getTables()).filter(({ name }) => name !== counts);
  return async () => {
    const state = new Map<string, Record<string, unknown>>();
    for (const { name, columns } of tables) {
      const key = columns[0]?.name ?? '';
      const rows = await db
        .selectFrom(name as 'users')
        .selectAll()
        .execute();
      for (const row of rows as Record<string, unknown>[]) state.set(`${name} ${row[key]}`, row);
    }
    return state;
  };
}

/**
 * What was done between two states, without the values that differ each time: `insert users`, `update sessions
 * last_used_at`, in order.
 */
export function changesBetween(before: State, after: State): string[] {
  const changes: string[] = [];
  const table = (key: string) => key.split(' ')[0];
  for (const [key, row] of after) {
    const old = before.get(key);
    const changed = Object.keys(row).filter(
      column => old && JSON.stringify(old[column]) !== JSON.stringify(row[column]),
    );
    if (!old) changes.push(`insert ${table(key)}`);
    else if (changed.length > 0) changes.push(`update ${table(key)} ${changed.sort().join(' ')}`);
  }
  for (const key of before.keys()) if (!after.has(key)) changes.push(`delete ${table(key)}`);
  return changes.sort();
}
