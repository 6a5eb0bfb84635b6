import type { ReadonlyCompiledQuery } from 'kysely/readonly';
import type { Database } from '../../src/database.ts';

/** Remembers what it has once read of a session, as a node must not. */
export function remembering(database: Database): Database {
  const { db } = database;
  const remembered = new Map<string, Promise<unknown>>();
  const executeQuery: typeof db.executeQuery = async <R>(query: ReadonlyCompiledQuery<R>) => {
    if (!query.sql.includes('"sessions"')) return await db.executeQuery(query);
    const key = JSON.stringify([query.sql, query.parameters.filter(value => !(value instanceof Date))]);
    const asked = (remembered.get(key) as ReturnType<typeof db.executeQuery<R>>) ?? db.executeQuery(query);
    remembered.set(key, asked);
    return await asked;
  };
  return over(database, { db: over(db, { executeQuery, together: undefined }) });
}

/** An object with something in the place of some of its properties. */
function over<Target extends object>(
  target: Target,
  other: { [Name in keyof Target]?: Target[Name] | undefined },
): Target {
  return new Proxy(target, {
    get(_, name) {
      if (name in other) return Reflect.get(other, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
