import { type KeyOperations, KeyRefused } from '../../src/auth/keys.ts';
import type { Answer, Client } from '../helpers/client.ts';
import { sessionOf, type Tokens } from '../helpers/nodes.ts';
import type { Event, Issued, KeyTimes } from './history.ts';

export interface Racers {
  readonly nodes: readonly Client[];
  /** Beside them, each with connections of its own. */
  readonly operators: readonly KeyOperations[];
  readonly time: Time;
}

/** Of all nodes and operators. */
interface Time {
  readonly clock: () => Date;
  /** Seconds. */
  readonly turn: (seconds: number) => void;
}

/** A session as its owner knows it. */
export interface Held extends Issued {
  readonly accessToken: string;
}

interface Person {
  readonly email: string;
}

/** Asks nodes and operators, and writes down what came of it. */
export class Player {
  readonly history: Event[] = [];
  readonly #racers: Racers;

  constructor(racers: Racers) {
    this.#racers = racers;
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

  async me(node: number, { session, accessToken: token, kid }: Held): Promise<void> {
    await this.#ask(node, 'GET', '/me', { token }, () => ({ op: 'me', session, kid }));
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

  async rotate(operator: number): Promise<void> {
    await this.#operate(operator, keys => keys.rotate(), { op: 'rotate' });
  }

  async retire(operator: number, kid: string): Promise<void> {
    await this.#operate(operator, keys => keys.retire(kid), { op: 'retire', kid });
  }

  async revoke(operator: number, kid: string): Promise<void> {
    await this.#operate(operator, keys => keys.revoke(kid), { op: 'revoke', kid });
  }

  /** The keys that an operator sees; which of them sign at this moment. */
  async list(operator: number): Promise<string[]> {
    const start = performance.now();
    const rows = await at(this.#racers.operators, operator).list();
    const end = performance.now();
    const keys = rows.map(
      ({ id: kid, created_at, signs_from_at, retired_at }): KeyTimes => ({
        kid,
        from: (signs_from_at ?? created_at).getTime(),
        until: retired_at?.getTime() ?? Infinity,
      }),
    );
    const now = this.#racers.time.clock().getTime();
    this.history.push({ node: operator, start, end, status: 200, op: 'list', keys, now });
    return keys.filter(({ from, until }) => from <= now && until > now).map(({ kid }) => kid);
  }

  turn(seconds: number): void {
    const start = performance.now();
    this.#racers.time.turn(seconds);
    const end = performance.now();
    this.history.push({ node: 0, start, end, status: 200, op: 'turn', seconds });
  }

  async #operate(
    operator: number,
    work: (keys: KeyOperations) => Promise<unknown>,
    operation: Extract<Described, { readonly op: 'rotate' | 'retire' | 'revoke' }>,
  ): Promise<void> {
    const start = performance.now();
    let status = 200;
    try {
      await work(at(this.#racers.operators, operator));
    } catch (error) {
      if (!(error instanceof KeyRefused)) throw error;
      status = 409;
    }
    this.history.push({ node: operator, start, end: performance.now(), status, ...operation });
  }

  async #ask(
    node: number,
    method: string,
    path: string,
    options: Parameters<Client['request']>[2],
    describe: (answer: Answer) => Described,
  ): Promise<Answer> {
    const client = at(this.#racers.nodes, node);
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

/** In turn. */
function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('there is none');
  return item;
}

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
