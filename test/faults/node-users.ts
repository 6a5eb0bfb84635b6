import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { openDatabase } from '../../src/database.ts';

/** Seconds in which the server has to notice that a client is gone. */
const noticedWithin = 5;

/** Users of one database server, one for each node, by whom it can say what it still has of a node that is dead. */
export class NodeUsers {
  readonly #administrator: pg.Pool;
  readonly #url: string;
  readonly #made: string[] = [];

  private constructor(administrator: pg.Pool, url: string) {
    this.#administrator = administrator;
    this.#url = url;
  }

  /** `url`: of a superuser, who owns the tables and is to be none of the nodes. */
  static async on(url: string): Promise<NodeUsers> {
    await (await openDatabase(url)).close();
    // Of one connection, so that questions wait for each other; it stays until the end.
    return new NodeUsers(new pg.Pool({ connectionString: url, max: 1, idleTimeoutMillis: 0 }), url);
  }

  /** One more; the URL of the database as that user. */
  async add(): Promise<string> {
    const name = `plinth_node_${process.pid}_${this.#made.length}`;
    const password = crypto.randomUUID();
    await this.#administrator.query(`create role ${name} login superuser password '${password}'`);
    this.#made.push(name);
    return Object.assign(new URL(this.#url), { username: name, password }).href;
  }

  /**
   * Resolves when all has ended that a user's connections had been asked for, and they with it. For a node that is dead:
   * until then it may still commit what nobody is told of.
   */
  async gone(url: string): Promise<void> {
    const { username } = new URL(url);
    while ((await this.#left([username])).length > 0) await pause(5);
  }

  /** Which connections and locks of dead nodes the server still has after five seconds. */
  async leftBehind(): Promise<string[]> {
    let left = await this.#left(this.#made);
    for (let waits = 0; left.length > 0 && waits < noticedWithin * 10; waits++) {
      await pause(100);
      left = await this.#left(this.#made);
    }
    return left.map(what => `left behind on the database server: ${what}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#made) await this.#administrator.query(`drop role ${name}`);
    // `end` does not wait for the connection, which a server that stops meanwhile would tell of, and nobody would listen.
    const closed = once(this.#administrator, 'remove');
    await this.#administrator.end();
    await closed;
  }

  async #left(names: readonly string[]): Promise<string[]> {
    const { rows } = await this.#administrator.query<{ left: string }>(remains, [names]);
    return rows.map(({ left }) => left);
  }
}

const remains = `
  select 'a connection, ' || coalesce(state, '') as left from pg_stat_activity where usename = any($1)
  union all
  select 'a lock, ' || mode from pg_locks
    where pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())`;
