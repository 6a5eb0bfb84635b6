import type { Answer, Client } from '../helpers/client.ts';

/** One login of a simulated person. `unknown`: an answer was lost that would have said whether it has ended. */
interface Login {
  access: string;
  refresh: string;
  /** When `refresh` was first sent, on the clock of `performance`. Undefined before, and again with its successor. */
  sent: number | undefined;
  /** A refresh token that was used, and whose successor was used too. */
  spent: string | undefined;
  /** The one before `refresh`, whose successor may not have been used. */
  previous: string | undefined;
  state: 'live' | 'ended' | 'unknown';
}

/** Milliseconds after its first use in which a refresh token gives its successor again. */
const grace = 10_000;

/** An answer was lost: what was asked for has been done or not. */
export class AnswerLost extends Error {}

/** A 503: as unknown as a lost answer. */
export class Refused extends AnswerLost {}

/**
 * Somebody who uses the service and keeps a record of what it acknowledged. `act` does one write; `check` compares what
 * the service says with the record. An answer that was lost leaves two possibilities, of which `check` finds the true one.
 */
export class Person {
  readonly email: string;
  readonly findings: string[] = [];
  acknowledged = 0;
  /** Refreshes that were refused as too late, rightly. */
  late = 0;
  /** What is being done to the service; findings tell it. */
  moment = '';
  readonly #random: () => number;
  readonly #headers: Record<string, string>;
  #registered = false;
  #passwords: string[];
  #names: (string | null)[] = [null];
  #logins: Login[] = [];
  #count = 0;
  /** The last request that had no answer, and when that was noticed. */
  #lost: { readonly request: string; readonly at: number } | undefined;

  /** `ip`: where the person is, as the proxy before the service would say. */
  constructor(email: string, ip: string, random: () => number) {
    this.email = email;
    this.#random = random;
    this.#headers = { 'x-forwarded-for': ip };
    this.#passwords = [this.#newPassword()];
  }

  /** One acknowledged write. Throws `AnswerLost`. */
  async act(client: Client): Promise<void> {
    const login = this.#logins.find(({ state }) => state === 'live');
    if (!this.#registered) return await this.#register(client);
    if (!login) return await this.#logIn(client);
    const chance = this.#random();
    if (chance < 0.45) await this.#rename(client, login);
    else if (chance < 0.85) await this.#refresh(client, login);
    else if (chance < 0.9) await this.#changePassword(client, login);
    else if (chance < 0.95 || this.#logins.length > 2) await this.#logOut(client, login);
    else await this.#logIn(client);
  }

  /** A read that has to be answered, whatever is wrong with writes; how many reads that were. */
  async read(client: Client): Promise<number> {
    const login = this.#logins.find(({ state }) => state === 'live');
    if (!login) return 0;
    const { status } = await client.get('/me', { token: login.access, headers: this.#headers });
    if (status !== 200) this.#note(`a read was answered with ${status}`);
    return 1;
  }

  /** Whether a write is taken. */
  async accepts(client: Client): Promise<boolean> {
    try {
      const login = this.#logins.find(({ state }) => state === 'live');
      if (login) await this.#rename(client, login);
      else await this.#logIn(client);
      return true;
    } catch (error) {
      if (error instanceof Refused) return false;
      throw error;
    }
  }

  async #register(client: Client): Promise<void> {
    const json = { email: this.email, password: this.#passwords[0] };
    const { status } = await this.#ask(client, 'POST', '/users', { json });
    this.#expect('a registration', status, 201);
    this.#registered = true;
  }

  async #logIn(client: Client): Promise<void> {
    const json = { email: this.email, password: this.#passwords[0] };
    const { status, body } = await this.#ask(client, 'POST', '/login', { json });
    this.#expect('a login', status, 200);
    if (status === 200) this.#keep(body);
  }

  async #rename(client: Client, { access }: Login): Promise<void> {
    const name = `name ${++this.#count}`;
    this.#names.push(name);
    const { status } = await this.#ask(client, 'PATCH', '/me', { json: { name }, token: access });
    this.#expect('a change of name', status, 200);
    this.#names = [name];
  }

  async #refresh(client: Client, login: Login): Promise<void> {
    login.sent ??= performance.now();
    const answer = await this.#renew(client, login.refresh);
    if (answer.status === 200) {
      this.acknowledged++;
      renew(login, answer);
      return;
    }
    if (isLate(login)) this.late++;
    else this.#note(`a refresh was answered with ${answer.status}`);
    login.state = 'ended';
    if ((await this.#me(client, login)).status !== 401)
      this.#note('a session lives whose refresh token is worth nothing');
  }

  async #logOut(client: Client, login: Login): Promise<void> {
    login.state = 'unknown';
    const { status } = await this.#ask(client, 'POST', '/logout', { token: login.access });
    this.#expect('a logout', status, 204);
    login.state = 'ended';
  }

  async #changePassword(client: Client, login: Login): Promise<void> {
    const [current = ''] = this.#passwords;
    const next = this.#newPassword();
    const others = this.#logins.filter(other => other !== login && other.state === 'live');
    this.#passwords.push(next);
    for (const other of others) other.state = 'unknown';
    const json = { current_password: current, new_password: next };
    const { status } = await this.#ask(client, 'PUT', '/me/password', { json, token: login.access });
    this.#expect('a change of password', status, 204);
    this.#passwords = [next];
    for (const other of others) other.state = 'ended';
  }

  /** As a client does at once, of any node, that had no answer to a refresh. Throws `AnswerLost`. */
  async refreshAgain(client: Client): Promise<void> {
    const login = this.#logins.find(({ state, sent }) => state === 'live' && sent !== undefined);
    if (login) await this.#refresh(client, login);
  }

  /** Asks until it knows again, and notes what differs from what was acknowledged. Throws `AnswerLost`. */
  async check(client: Client): Promise<void> {
    if (!this.#registered) await this.#settleRegistration(client);
    await this.#settlePassword(client);
    for (const login of this.#logins) await this.#checkLogin(client, login);
    const live = this.#logins.filter(({ state }) => state === 'live');
    this.#logins = [...live, ...this.#logins.filter(({ state }) => state === 'ended').slice(-3)];
  }

  async #settleRegistration(client: Client): Promise<void> {
    const json = { email: this.email, password: this.#passwords[0] };
    const { status } = await this.#ask(client, 'POST', '/users', { json });
    if (status !== 201 && status !== 409) this.#note(`a repeated registration was answered with ${status}`);
    this.#registered = true;
  }

  /** Exactly one password is right. With the new one every other session has ended, with the old one none has. */
  async #settlePassword(client: Client): Promise<void> {
    const wasLost = this.#passwords.length > 1;
    const right: string[] = [];
    for (const password of this.#passwords) {
      const { status, body } = await this.#ask(client, 'POST', '/login', {
        json: { email: this.email, password },
      });
      if (status === 200) right.push(password);
      if (status === 200 && this.#logins.filter(({ state }) => state !== 'ended').length < 3)
        this.#keep(body);
      else if (status === 200) await this.#ask(client, 'POST', '/logout', { token: body.access_token });
    }
    if (right.length !== 1) this.#note(`${right.length} of ${this.#passwords.length} passwords are right`);
    const changed = wasLost && right[0] === this.#passwords[1];
    if (wasLost) {
      for (const login of this.#logins.filter(({ state }) => state === 'unknown')) {
        const alive = (await this.#me(client, login)).status === 200;
        if (changed && alive) this.#note('a session outlived a change of password');
        if (!changed && !alive) this.#note('a session ended by a change of password that was not made');
        login.state = alive ? 'live' : 'ended';
      }
    }
    if (right[0] !== undefined) this.#passwords = [right[0]];
  }

  async #checkLogin(client: Client, login: Login): Promise<void> {
    const { status, body } = await this.#me(client, login);
    if (login.state === 'unknown') login.state = status === 200 ? 'live' : 'ended';
    if (status === 401 && isLate(login)) login.state = 'ended';
    if (login.state === 'ended') {
      if (status !== 401) this.#note(`an ended session was answered with ${status}`);
      const { status: again } = await this.#renew(client, login.refresh);
      if (again !== 401) this.#note(`the refresh token of an ended session was answered with ${again}`);
      return;
    }
    if (status !== 200) this.#note(`a live session was answered with ${status}`);
    else if (!this.#names.includes(body.name))
      this.#note(`the name is ${body.name}, not ${this.#names.join(' or ')}`);
    else this.#names = [body.name];
    await this.#refresh(client, login);
    if (login.state === 'live' && login.spent !== undefined && this.#random() < 0.1)
      await this.#useSpent(client, login, login.spent);
  }

  /** A token that has had its time ends the session, also after a crash. */
  async #useSpent(client: Client, login: Login, spent: string): Promise<void> {
    login.state = 'unknown';
    const { status } = await this.#renew(client, spent);
    if (status !== 401) this.#note(`a spent refresh token was answered with ${status}`);
    if ((await this.#me(client, login)).status !== 401) this.#note('a spent refresh token ended nothing');
    login.state = 'ended';
  }

  #me(client: Client, { access }: Login): Promise<Answer> {
    return this.#ask(client, 'GET', '/me', { token: access });
  }

  #renew(client: Client, refresh_token: string): Promise<Answer> {
    return this.#ask(client, 'POST', '/refresh', { json: { refresh_token } });
  }

  #keep(body: { access_token: string; refresh_token: string }): void {
    const { access_token: access, refresh_token: refresh } = body;
    this.#logins.push({
      ...{ access, refresh, sent: undefined, spent: undefined, previous: undefined },
      state: 'live',
    });
  }

  async #ask(
    client: Client,
    method: string,
    path: string,
    options: { json?: unknown; token?: string },
  ): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await client.request(method, path, { ...options, headers: this.#headers });
    } catch (cause) {
      this.#lost = { request: `${method} ${path}`, at: performance.now() };
      throw new AnswerLost(`${method} ${path}`, { cause });
    }
    if (answer.status !== 503) return answer;
    this.#lost = { request: `${method} ${path}`, at: performance.now() };
    if (!answer.headers.has('retry-after')) this.#note('a 503 does not say when to try again');
    throw new Refused(`${method} ${path}`);
  }

  #expect(what: string, status: number, expected: number): void {
    if (status === expected) this.acknowledged++;
    else this.#note(`${what} was answered with ${status}`);
  }

  #note(finding: string): void {
    const since = (at: number) => `${Math.round(performance.now() - at)} ms`;
    const lost = this.#lost && `${since(this.#lost.at)} after ${this.#lost.request} had no answer`;
    this.findings.push([`${this.email}: ${finding}`, this.moment, lost].filter(Boolean).join(', '));
  }

  #newPassword(): string {
    return `a passphrase, number ${Math.floor(this.#random() * 2 ** 48)}`;
  }
}

/** Whether its refresh token, if it was taken, comes too late by now, and ends the session as if it had been stolen. */
function isLate({ sent }: Login): boolean {
  return sent !== undefined && performance.now() - sent > grace;
}

function renew(login: Login, { body }: Answer): void {
  login.spent = login.previous;
  login.previous = login.refresh;
  login.access = body.access_token;
  login.refresh = body.refresh_token;
  login.sent = undefined;
}
