import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Client } from '../helpers/client.ts';
import { type Kept, nothingKept, type Page, type State, whatIsKept } from './pages.ts';

interface Write {
  readonly request: readonly [method: string, path: string, json?: unknown, token?: string];
  readonly status: number;
  readonly change: Partial<State>;
}

/**
 * Somebody who writes one thing after the other and keeps a page of each moment, so that it can be told which of them a
 * database has gone back to, or that what it has was never so.
 */
export class Diary {
  readonly #email: string;
  readonly #headers: Record<string, string>;
  readonly #random: () => number;
  #page: Page = { name: null, password: undefined, sessions: [], asked: 0, answered: 0 };
  readonly #pages = [this.#page];
  readonly #passwords: string[] = [];
  readonly #tokens: string[] = [];

  constructor(email: string, ip: string, random: () => number) {
    this.#email = email;
    this.#headers = { 'x-forwarded-for': ip };
    this.#random = random;
  }

  /** Acknowledged writes. */
  get length(): number {
    return this.#pages.filter(({ answered }) => answered < Infinity).length - 1;
  }

  /** Until it is refused. What the last write would have done has a page too. */
  async write(client: Client): Promise<void> {
    while (this.#page.answered < Infinity) {
      const { request, status: expected, change } = this.#next();
      const asked = performance.now();
      const { status, body } = await this.#ask(client, ...request);
      if (status !== expected && status !== 503)
        throw new Error(`${this.#email}: ${request[1]} was answered with ${status}`);
      const answered = status === expected ? performance.now() : Infinity;
      this.#page = { ...this.#page, ...change, asked, answered };
      if (body?.access_token) {
        this.#tokens.push(body.access_token);
        this.#page = { ...this.#page, sessions: [...this.#page.sessions, body.access_token] };
      }
      this.#pages.push(this.#page);
    }
  }

  /** Which page tells what there is. */
  async compare(client: Client): Promise<Kept> {
    const state = await this.#look(client);
    const kept = whatIsKept(this.#pages, state);
    return kept ?? { ...nothingKept, finding: `${this.#email}: it was never so: ${JSON.stringify(state)}` };
  }

  /** Each leads to a state that never was before. */
  #next(): Write {
    const { password, sessions } = this.#page;
    const [token, ...others] = sessions;
    const email = this.#email;
    const chance = this.#random();
    if (password === undefined) {
      const first = this.#newPassword();
      const request = ['POST', '/users', { email, password: first }] as const;
      return { request, status: 201, change: { password: first } };
    }
    if (token === undefined || chance < 0.15)
      return { request: ['POST', '/login', { email, password }], status: 200, change: {} };
    // Not of the only one: so it was before the first login.
    if (chance < 0.25 && others.length > 0)
      return { request: ['POST', '/logout', undefined, token], status: 204, change: { sessions: others } };
    // Not too often: each wrong one that is tried afterwards counts as a guess.
    if (chance < 0.35 && this.#passwords.length < 4) {
      const next = this.#newPassword();
      const json = { current_password: password, new_password: next };
      const change = { password: next, sessions: [token] };
      return { request: ['PUT', '/me/password', json, token], status: 204, change };
    }
    const name = `name ${this.#pages.length}`;
    return { request: ['PATCH', '/me', { name }, token], status: 200, change: { name } };
  }

  /** A session that nobody was told of cannot be seen, and does not count. */
  async #look(client: Client): Promise<State> {
    const ask = async (...request: Write['request']): Promise<Answer> => {
      for (;;) {
        const answer = await this.#ask(client, ...request);
        if (answer.status !== 503) return answer;
        await pause(50);
      }
    };
    const sessions: string[] = [];
    for (const token of this.#tokens)
      if ((await ask('GET', '/me', undefined, token)).status === 200) sessions.push(token);
    const right: string[] = [];
    let name: string | null = null;
    for (const password of this.#passwords) {
      const { status, body } = await ask('POST', '/login', { email: this.#email, password });
      if (status !== 200) continue;
      right.push(password);
      name = (await ask('GET', '/me', undefined, body.access_token)).body.name;
    }
    return { name, password: right.length > 1 ? right.join(' and ') : right[0], sessions };
  }

  #ask(client: Client, ...[method, path, json, token]: Write['request']): Promise<Answer> {
    return client.request(method, path, {
      ...{ headers: this.#headers, json },
      ...(token !== undefined && { token }),
    });
  }

  #newPassword(): string {
    const password = `a passphrase, number ${Math.floor(this.#random() * 2 ** 48)}`;
    this.#passwords.push(password);
    return password;
  }
}
