import { type Compilable, type CompiledQuery, type Expression, sql } from 'kysely';
import { isReadonlyCompiledQuery, type ReadonlyCompiledQuery } from 'kysely/readonly';
import type { ReadQueries } from './engine.ts';

export type Params<P> = { readonly [Name in keyof P]: Expression<P[Name]> };

/**
 * A read that is built and compiled once for each database and then only run:
 *
 *     const findUser = prepared((db: Queries, { id }: Params<{ id: string }>) =>
 *       db.selectFrom('users').where('id', '=', id).select(['id', 'email']));
 *     const [user] = await findUser(db, { id });
 */
export function prepared<Tables, P extends object, Row>(
  build: (db: ReadQueries<Tables>, params: Params<P>) => Compilable<Row>,
): (db: ReadQueries<Tables>, values: P) => Promise<Row[]> {
  const compiled = new WeakMap<ReadQueries<Tables>, Template<P, Row>>();
  return async (db, values) => {
    let template = compiled.get(db);
    if (template === undefined) {
      template = compile(build(db, placeholders<P>()).compile());
      compiled.set(db, template);
    }
    return (await db.executeQuery(template(values))).rows;
  };
}

type Template<P, Row> = (values: P) => ReadonlyCompiledQuery<Row>;

class Placeholder<P> {
  readonly name: keyof P;
  constructor(name: keyof P) {
    this.name = name;
  }
}

function placeholders<P extends object>(): Params<P> {
  return new Proxy({} as Params<P>, { get: (_, name) => sql.val(new Placeholder(name as keyof P)) });
}

function compile<P, Row>(query: CompiledQuery<Row>): Template<P, Row> {
  if (!isReadonlyCompiledQuery<Row>(query)) throw new TypeError('only reads can be prepared');
  const slots = query.parameters.map(value =>
    value instanceof Placeholder ? (value as Placeholder<P>) : { value },
  );
  const { query: node, queryId, sql } = query;
  return values => ({
    query: node,
    queryId,
    sql,
    parameters: slots.map(slot => ('value' in slot ? slot.value : values[slot.name])),
  });
}
