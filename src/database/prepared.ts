import { type Compilable, type CompiledQuery, type Expression, type OperationNodeSource, sql } from 'kysely';
import { isReadonlyCompiledQuery, type ReadonlyCompiledQuery } from 'kysely/readonly';
import type { ReadQueries } from './engine.ts';

/** What a value of a prepared read can be: a kind of column, as in migrations. */
export interface Kinds {
  id: string;
  text: string;
  integer: number;
  time: Date;
}

export type Kind = keyof Kinds;
type ValuesOf<Shape> = {
  readonly [Name in keyof Shape]: Shape[Name] extends Kind ? Kinds[Shape[Name]] : never;
};
export type Params<Values> = { readonly [Name in keyof Values]: Expression<Values[Name]> };

/** The row, unless a time is not named as one, where the query gives it, or something else is. */
type WellNamed<Row> = Row extends {
  readonly [Name in keyof Row]: Name extends `${string}_at` ? Date | null : Exclude<Row[Name], Date>;
}
  ? Row
  : never;

/** The definition of a prepared read, for engines that run it in a way of their own. */
export interface PreparedRead<Tables, Values, Row> {
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly build: (db: ReadQueries<Tables>, params: Params<Values>) => Compilable<Row> & OperationNodeSource;
}

/**
 * A read that is built and compiled once for each database and then only run:
 *
 *     const findUser = prepared({ id: 'id' }, (db: Queries, { id }) =>
 *       db.selectFrom('users').where('id', '=', id).select(['id', 'email']));
 *     const [user] = await findUser(db, { id });
 *
 * On PostgreSQL the reads that are asked for at one moment go to the database as one query, each with its own values;
 * nothing is kept after it. Their rows come as JSON, where a time is known by its name alone: nothing can be done with the
 * rows of a query that gives misleading names. Of a column of JSON, a value that is no object and no list loses its form.
 */
export function prepared<Tables, const Shape extends Readonly<Record<string, Kind>>, Row>(
  kinds: Shape,
  build: PreparedRead<Tables, ValuesOf<Shape>, Row>['build'],
): (db: ReadQueries<Tables>, values: ValuesOf<Shape>) => Promise<WellNamed<Row>[]>;
export function prepared<Tables, const Shape extends Readonly<Record<string, Kind>>, Row>(
  kinds: Shape,
  build: PreparedRead<Tables, ValuesOf<Shape>, Row>['build'],
): (db: ReadQueries<Tables>, values: ValuesOf<Shape>) => Promise<Row[]> {
  type Values = ValuesOf<Shape>;
  const read = { kinds, build };
  const compiled = new WeakMap<ReadQueries<Tables>, Template<Values, Row>>();
  // Without a promise of its own: every request with a token goes this way.
  return (db, values) => {
    const alone = async (): Promise<Row[]> => {
      let template = compiled.get(db);
      if (template === undefined) {
        template = compile(build(db, placeholders<Values>()).compile());
        compiled.set(db, template);
      }
      return (await db.executeQuery(template(values))).rows;
    };
    return db.together ? db.together(read, values, alone) : alone();
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
