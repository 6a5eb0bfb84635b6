import { hash } from 'node:crypto';

/**
 * Of the rows of a table, whatever their order and the engine they are read from: the sum of the SHA-256 of each, as a
 * number of 256 bits. A row counts by its columns in the order of their names, times in milliseconds, JSON by its meaning.
 */
export class Checksum {
  readonly #columns: readonly string[];
  readonly #json: ReadonlySet<string>;
  #rows = 0;
  #sum = 0n;

  constructor(columns: readonly string[], json: readonly string[]) {
    this.#columns = columns.toSorted();
    this.#json = new Set(json);
  }

  add(row: Readonly<Record<string, unknown>>): void {
    const values = this.#columns.map(name => canonical(row[name], this.#json.has(name)));
    this.#sum = BigInt.asUintN(256, this.#sum + BigInt(`0x${hash('sha256', JSON.stringify(values))}`));
    this.#rows++;
  }

  get rows(): number {
    return this.#rows;
  }

  get text(): string {
    return this.#sum.toString(16).padStart(64, '0');
  }

  equals(other: Checksum): boolean {
    return this.#rows === other.#rows && this.#sum === other.#sum;
  }
}

function canonical(value: unknown, isJson: boolean): unknown {
  if (value instanceof Date) return value.getTime();
  return isJson && typeof value === 'string' ? sorted(JSON.parse(value)) : value;
}

/** JSON with the members of its objects in the order of their names. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
