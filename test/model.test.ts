import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { startApp, type TestApp, unlimited } from './helpers/app.ts';

/** What the service should know: people by canonical address, and what each token is good for. */
interface Model {
  readonly people: Map<string, { email: string; password: string; name: string | null }>;
  readonly tokens: { readonly token: string; readonly owner: object }[];
}

type Command = fc.AsyncCommand<Model, TestApp>;

const people = [
  'ada@example.com',
  'Ada@Example.com',
  'grace@example.com',
  'alan@bücher.example',
  'ALAN@xn--bcher-kva.example',
];
const passwords = ['a very good passphrase', 'another good passphrase', 'ein anderer guter Satz'];
const canonical = (email: string): string => email.toLowerCase().replace('bücher', 'xn--bcher-kva');

const email = fc.constantFrom(...people);
const password = fc.constantFrom(...passwords);
const name = fc.constantFrom(null, 'Ada', '名前', 'x'.repeat(200));
const which = fc.nat(20);

class Register implements Command {
  readonly #email: string;
  readonly #password: string;
  readonly #name: string | null;
  constructor([address, secret, called]: [string, string, string | null]) {
    this.#email = address;
    this.#password = secret;
    this.#name = called;
  }
  check = () => true;
  async run(model: Model, app: TestApp): Promise<void> {
    const { status, body } = await app.post('/users', {
      email: this.#email,
      password: this.#password,
      name: this.#name,
    });
    const key = canonical(this.#email);
    assert.equal(status, model.people.has(key) ? 409 : 201);
    if (status !== 201) return;
    assert.deepEqual([body.email, body.name], [this.#email, this.#name]);
    model.people.set(key, { email: this.#email, password: this.#password, name: this.#name });
  }
  toString = () => `register ${this.#email}`;
}

class Login implements Command {
  readonly #email: string;
  readonly #password: string;
  constructor([address, secret]: [string, string]) {
    this.#email = address;
    this.#password = secret;
  }
  check = () => true;
  async run(model: Model, app: TestApp): Promise<void> {
    const person = model.people.get(canonical(this.#email));
    const { status, body } = await app.post('/login', { email: this.#email, password: this.#password });
    assert.equal(status, person?.password === this.#password ? 200 : 401);
    if (person && status === 200) model.tokens.push({ token: body.access_token, owner: person });
  }
  toString = () => `login ${this.#email}`;
}

/** Commands that use a token: one that is good, or one whose person is gone. */
abstract class WithToken implements Command {
  readonly #which: number;
  constructor(index: number) {
    this.#which = index;
  }
  check = (model: Readonly<Model>) => model.tokens.length > 0;
  async run(model: Model, app: TestApp): Promise<void> {
    const { token = '', owner } = model.tokens[this.#which % model.tokens.length] ?? {};
    const entry = [...model.people].find(([, person]) => person === owner);
    await this.use(model, app, token, entry?.[0]);
  }
  /** `key`: of the token's person in the model; undefined when they are gone. */
  abstract use(model: Model, app: TestApp, token: string, key: string | undefined): Promise<void>;
  abstract toString(): string;
}

class Me extends WithToken {
  async use(model: Model, app: TestApp, token: string, key: string | undefined): Promise<void> {
    const { status, body } = await app.get('/me', { token });
    const person = key === undefined ? undefined : model.people.get(key);
    assert.equal(status, person ? 200 : 401);
    if (person) assert.deepEqual([body.email, body.name], [person.email, person.name]);
  }
  toString = () => 'me';
}

class Rename extends WithToken {
  readonly #name: string | null;
  constructor([index, called]: [number, string | null]) {
    super(index);
    this.#name = called;
  }
  async use(model: Model, app: TestApp, token: string, key: string | undefined): Promise<void> {
    const { status } = await app.request('PATCH', '/me', { token, json: { name: this.#name } });
    const person = key === undefined ? undefined : model.people.get(key);
    assert.equal(status, person ? 200 : 401);
    if (person) person.name = this.#name;
  }
  toString = () => `rename to ${this.#name}`;
}

class Delete extends WithToken {
  readonly #password: string;
  constructor([index, secret]: [number, string]) {
    super(index);
    this.#password = secret;
  }
  async use(model: Model, app: TestApp, token: string, key: string | undefined): Promise<void> {
    const { status } = await app.post('/me/deletion', { password: this.#password }, { token });
    const person = key === undefined ? undefined : model.people.get(key);
    assert.equal(status, person?.password === this.#password ? 204 : 401);
    if (status === 204 && key !== undefined) model.people.delete(key);
  }
  toString = () => 'delete';
}

const commands = fc.commands(
  [
    fc.tuple(email, password, name).map(values => new Register(values)),
    fc.tuple(email, password).map(values => new Login(values)),
    which.map(index => new Me(index)),
    fc.tuple(which, name).map(values => new Rename(values)),
    fc.tuple(which, password).map(values => new Delete(values)),
  ],
  { maxCommands: 60 },
);

test('random histories end as a simple model says', async t => {
  const app = await startApp(t, { settings: unlimited });
  await fc.assert(
    fc.asyncProperty(commands, async history => {
      await app.world.database.transaction(tx => tx.deleteFrom('users').execute());
      const model: Model = { people: new Map(), tokens: [] };
      await fc.asyncModelRun(() => ({ model, real: app }), history);
      const rows = await app.world.database.db.selectFrom('users').select('email_canonical').execute();
      assert.deepEqual(rows.map(row => row.email_canonical).sort(), [...model.people.keys()].sort());
    }),
    { numRuns: 60 },
  );
});
