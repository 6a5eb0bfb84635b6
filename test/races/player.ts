import type { Answer, Client } from '../helpers/client.ts';
import { sessionOf, type Tokens } from '../helpers/nodes.ts';
import type { Event, Issued } from './history.ts';

/** A session as its owner knows it. */
export interface Held extends Issued {
  readonly accessToken: string;
}

interface Person {
  readonly email: string;
}

/** Asks nodes and writes down what came of it. */
export class Player {
  readonly history: Event[] = [];
  readonly #nodes: readonly Client[];

  constructor(nodes: readonly Client[]) {
    this.#nodes = nodes;
  }

  /** `spelling`: how the address is written this time. */
  async register(node: number, { email }: Person, spelling = email): Promise<void> {
    const json = { email: spelling, password: passwordOf(0) };
    await this.#ask(node, 'POST', '/users', { json }, () => ({ op: 'register', email }));
  }

  async login(node: number, { email }: Person, password: number): Promise<Held | undefined> {
    const json = { email, password: passwordOf(password) };
    const { body, status } = await this.#ask(node, 'POST', '/login', { json }, answer => ({
      op: 'login',
      person: email,
      password,
      opened: issued(answer),
    }));
    return status === 200 ? held(body) : undefined;
  }

  async refresh(node: number, { session, refreshToken }: Held): Promise<Held | undefined> {
    const json = { refresh_token: refreshToken };
    const { body, status } = await this.#ask(node, 'POST', '/refresh', { json }, answer => ({
      op: 'refresh',
      session,
      token: refreshToken,
      opened: issued(answer),
    }));
    return status === 200 ? held(body) : undefined;
  }

  async me(node: number, { session, accessToken: token }: Held): Promise<void> {
    await this.#ask(node, 'GET', '/me', { token }, () => ({ op: 'me', session }));
  }

  async logout(node: number, { session, accessToken: token }: Held): Promise<void> {
    await this.#ask(node, 'POST', '/logout', { token }, () => ({ op: 'logout', session }));
  }

  async change(node: number, { email }: Person, by: Held, from: number, to: number): Promise<void> {
    const json = { current_password: passwordOf(from), new_password: passwordOf(to) };
    const { session, accessToken: token } = by;
    await this.#ask(node, 'PUT', '/me/password', { json, token }, () => ({
      op: 'change',
      person: email,
      session,
      from,
      to,
    }));
  }

  async keys(node: number): Promise<void> {
    await this.#ask(node, 'GET', '/.well-known/jwks.json', {}, ({ body }) => ({
      op: 'keys',
      kids: body.keys.map(({ kid }: { kid: string }) => kid),
    }));
  }

  async #ask(
    node: number,
    method: string,
    path: string,
    options: Parameters<Client['request']>[2],
    describe: (answer: Answer) => Described,
  ): Promise<Answer> {
    const client = this.#nodes[node % this.#nodes.length];
    if (!client) throw new Error('there are no nodes');
    const start = performance.now();
    const answer = await client.request(method, path, options);
    const end = performance.now();
    this.history.push({ node, start, end, status: answer.status, ...describe(answer) });
    return answer;
  }
}

/** An event without what all have. */
type Described = Event extends infer One
  ? One extends Event
    ? Omit<One, 'node' | 'start' | 'end' | 'status'>
    : never
  : never;

function passwordOf(number: number): string {
  return `a very good passphrase ${number}`;
}

function issued({ status, body }: Answer): Issued | undefined {
  if (status !== 200) return undefined;
  const { session, refreshToken, kid } = held(body);
  return { session, refreshToken, kid };
}

function held(tokens: Tokens): Held {
  const [header = ''] = tokens.access_token.split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
  return {
    session: sessionOf(tokens),
    refreshToken: tokens.refresh_token,
    accessToken: tokens.access_token,
    kid,
  };
}
