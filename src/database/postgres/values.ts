import { types } from 'pg';

// https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
const int8 = 20;
const json = 114;
const timestamptz = 1184;
const jsonb = 3802;

/** How values of the database become values of the program: the same as of every other engine. */
export function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === timestamptz) return toTime;
  if (oid === int8) return Number;
  if (oid === json || oid === jsonb) return String;
  return types.getTypeParser(oid, format);
}

export function toSql(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : value;
}

/** `2026-03-01 12:00:00.123+00`, in whatever zone the connection has. */
function toTime(text: string): Date {
  const iso = text.replace(' ', 'T');
  return new Date(/[+-]\d\d$/.test(iso) ? `${iso}:00` : iso);
}

/** A row as this database writes it in JSON, made into what the driver would make of it. */
export function fromJson(row: object): void {
  const values = row as Record<string, unknown>;
  for (const name in values) {
    const value = values[name];
    if (typeof value === 'string' && name.endsWith('_at')) values[name] = new Date(value);
    else if (typeof value === 'object' && value !== null) values[name] = JSON.stringify(value);
  }
}
