import assert from 'node:assert/strict';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects and fails when it is not there.
  readonly body: any;
}

export interface Person {
  readonly email: string;
  readonly password: string;
  readonly id: string;
}

let people = 0;

/** A client as a stranger would write it: `fetch`, JSON, Bearer. */
export class Client {
  readonly url: string;
  /** Sees every answer, with the route it came from; see conformance.ts. */
  onAnswer: (method: string, path: string, answer: Answer) => void = () => undefined;

  constructor(url: string) {
    this.url = url;
  }

  async request(
    method: string,
    path: string,
    { json, form, token, headers = {}, body }: RequestOptions = {},
  ): Promise<Answer> {
    const payload = json === undefined ? form && new URLSearchParams(form) : JSON.stringify(json);
    const type = json === undefined ? undefined : 'application/json';
    const response = await fetch(this.url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(type && { 'content-type': type }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      body: body ?? payload ?? null,
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    const answer = {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text !== '' ? JSON.parse(text) : undefined,
    };
    this.onAnswer(method, path, answer);
    return answer;
  }

  get(path: string, options?: RequestOptions): Promise<Answer> {
    return this.request('GET', path, options);
  }

  post(path: string, json: unknown, options?: RequestOptions): Promise<Answer> {
    return this.request('POST', path, { json, ...options });
  }

  /** Registers somebody like any user. */
  async register(
    email = `person${++people}@example.com`,
    password = 'a very good passphrase',
  ): Promise<Person> {
    const { status, body } = await this.post('/users', { email, password });
    assert.equal(status, 201);
    return { email, password, id: body.id };
  }

  /** Logs in; the access token. */
  async login({ email, password }: Pick<Person, 'email' | 'password'>): Promise<string> {
    const { status, body } = await this.post('/login', { email, password });
    assert.equal(status, 200);
    return body.access_token;
  }

  /** Somebody registered and logged in. */
  async person(): Promise<Person & { readonly token: string }> {
    const person = await this.register();
    return { ...person, token: await this.login(person) };
  }
}

export interface RequestOptions {
  readonly json?: unknown;
  readonly form?: Record<string, string>;
  readonly token?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}
