import { DatabaseUnavailable } from '../errors.ts';
import type { PostgresConnection } from './connection.ts';

type Waiter = PromiseWithResolvers<PostgresConnection>;

/** At most so many connections, opened as they are needed and kept. */
export class Pool {
  readonly #size: number;
  readonly #connect: () => Promise<PostgresConnection>;
  readonly #open = new Set<PostgresConnection>();
  readonly #idle: PostgresConnection[] = [];
  readonly #waiting: Waiter[] = [];
  #opening = 0;
  #closed = false;

  constructor(size: number, connect: () => Promise<PostgresConnection>) {
    this.#size = size;
    this.#connect = connect;
  }

  /** In the order of asking. Every connection has to be released. */
  async acquire(): Promise<PostgresConnection> {
    if (this.#closed) throw new DatabaseUnavailable('the database is closing');
    // The last used, so that those of a busy hour rest afterwards.
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (idle.usable) return idle;
      // Its server has said that it is going to end it.
      idle.destroy();
    }
    const waiter = Promise.withResolvers<PostgresConnection>();
    this.#waiting.push(waiter);
    this.#grow();
    return await waiter.promise;
  }

  release(connection: PostgresConnection): void {
    if (!connection.usable) {
      this.#forget(connection);
      return;
    }
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(connection);
    else this.#idle.push(connection);
  }

  /** One connection turned out to lead nowhere: those that rest may as well, and would each be found out by a caller. */
  dropIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Refuses who asks from now on, and closes what rests; what is in use has to be released before. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#reject(new DatabaseUnavailable('the database is closing'));
    const closing = [...this.#open].map(connection => connection.close());
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, closeLimit);
    await Promise.race([Promise.allSettled(closing), patience]);
    clearTimeout(timer);
    for (const connection of this.#open) connection.destroy();
  }

  #grow(): void {
    const room = this.#size - this.#open.size - this.#opening;
    const wanted = this.#waiting.length - this.#opening;
    for (let count = Math.min(room, wanted); count > 0; count--) void this.#add();
  }

  async #add(): Promise<void> {
    this.#opening++;
    try {
      const connection = await this.#connect().finally(() => this.#opening--);
      if (this.#closed) {
        connection.destroy();
        return;
      }
      this.#open.add(connection);
      connection.onEnd = () => this.#forget(connection);
      this.release(connection);
    } catch (error) {
      // Where others are open, whoever waits may yet get one of them.
      if (this.#open.size === 0) this.#reject(error);
    }
  }

  #forget(connection: PostgresConnection): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#grow();
  }

  #reject(reason: unknown): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(reason);
  }
}

/** Milliseconds to say goodbye in. */
const closeLimit = 500;
