import { hash } from 'node:crypto';

/**
 * The names under which statements are prepared: a connection parses and plans a text once and then only runs it. A name
 * is made of the text, so that it means the same to everybody who may share a connection of the server.
 */
export class StatementNames {
  readonly #names = new Map<string, string>();
  #most: number;

  /** `most`: how many there are at most; what comes after them is parsed each time. */
  constructor(most = 256) {
    this.#most = most;
  }

  /** Undefined: to be parsed each time. */
  of(sql: string): string | undefined {
    if (this.#most === 0) return undefined;
    const known = this.#names.get(sql);
    if (known !== undefined || this.#names.size >= this.#most) return known;
    const name = hash('sha256', sql, 'base64url');
    this.#names.set(sql, name);
    return name;
  }

  /** What was prepared under this name is for a schema that was changed: the text gets another, on every connection. */
  renew(sql: string, name: string | undefined): void {
    if (name === undefined || this.#names.get(sql) !== name) return;
    this.#names.set(sql, hash('sha256', `${name} ${sql}`, 'base64url'));
  }

  /** Something between here and the server does not keep them. */
  giveUp(): void {
    this.#most = 0;
  }
}
