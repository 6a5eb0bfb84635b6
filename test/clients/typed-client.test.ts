import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { startApp } from '../helpers/app.ts';
import type { Person } from '../helpers/client.ts';
import { documentedFiles, makeTypes, programFolder, run, typeFaults } from './documented.ts';
import { type Relay, startRelay } from './relay.ts';

/** As much of docs/clients.md's client as is used here; its own types are checked where it lies. */
interface Plinth {
  readonly api: Record<'GET' | 'PUT' | 'PATCH', (path: string, options?: object) => Promise<Answer>>;
  login(email: string, password: string): Promise<{ readonly code: string } | undefined>;
  logout(): Promise<void>;
}

interface Answer {
  readonly data?: { readonly name: string | null };
  readonly error?: { readonly code: string };
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** Where the tokens are, in sight of the test. */
class Store {
  tokens: Tokens | undefined;
  load = (): Tokens | undefined => this.tokens;
  save = (tokens: Tokens | undefined): void => {
    this.tokens = tokens;
  };
}

const misuse = `
import { createPlinth } from './plinth.ts';
const { api } = createPlinth('http://127.0.0.1:3000');
// @ts-expect-error no such path
await api.GET('/mee');
// @ts-expect-error no such method there
await api.POST('/me');
// @ts-expect-error no body
await api.PUT('/me/password');
// @ts-expect-error half a body
await api.PUT('/me/password', { body: { current_password: 'x' } });
// @ts-expect-error no such field
await api.PATCH('/me', { body: { email: 'x' } });
const { data, error } = await api.GET('/me/sessions');
// @ts-expect-error only with an answer that is good
data.items;
// @ts-expect-error no such field in it
data?.items[0]?.token;
// @ts-expect-error no such code
error?.code === 'nonsense';
`;

const ttl = 900 + 5;

test('the client of docs/clients.md', async t => {
  const files = documentedFiles();
  const folder = programFolder(t, { 'plinth.ts': files.get('plinth.ts') ?? '', 'misuse.ts': misuse });
  const example = files.get('example.ts') ?? '';
  const app = await startApp(t);
  await makeTypes(folder, app.url);
  writeFileSync(join(folder, 'example.ts'), example.replace('http://127.0.0.1:3000', app.url));

  await t.test('has no faults of type, and its users can have', async () => {
    assert.deepEqual(await typeFaults(folder), []);
  });

  await t.test('runs as its example says', async () => {
    const [, email = '', password = ''] = /login\('(.*)', '(.*)'\)/.exec(example) ?? [];
    await app.register(email, password);
    assert.equal(await run(folder, 'example.ts'), `${email}\n`);
  });

  const { createPlinth } = (await import(pathToFileURL(join(folder, 'plinth.ts')).href)) as {
    createPlinth: (url: string, store: Store) => Plinth;
  };

  /** Somebody logged in, with a relay of their own before the service. */
  async function start(t: TestContext): Promise<Started> {
    const relay = await startRelay(t, app.url);
    const store = new Store();
    const plinth = createPlinth(relay.url, store);
    const person = await app.register();
    assert.equal(await plinth.login(person.email, person.password), undefined);
    assert.deepEqual(relay.seen.splice(0), ['POST /login 200']);
    return { relay, store, plinth, person };
  }

  await t.test('renews when the access token has expired, and goes on', async t => {
    const { relay, plinth } = await start(t);
    assert.ok((await plinth.api.GET('/me')).data);
    assert.deepEqual(relay.seen.splice(0), ['GET /me 200']);
    for (const name of ['Ada', 'Grace']) {
      app.turnClock(ttl);
      const { data } = await plinth.api.PATCH('/me', { body: { name } });
      assert.equal(data?.name, name);
      assert.deepEqual(relay.seen.splice(0), ['PATCH /me 401', 'POST /refresh 200', 'PATCH /me 200']);
    }
  });

  await t.test('renews once for many requests at the same time', async t => {
    const { relay, plinth } = await start(t);
    app.turnClock(ttl);
    const answers = await Promise.all(Array.from({ length: 10 }, () => plinth.api.GET('/me')));
    assert.ok(answers.every(({ data }) => data));
    assert.equal(relay.seen.filter(line => line === 'POST /refresh 200').length, 1);
    assert.equal(relay.seen.filter(line => line === 'GET /me 200').length, 10);
  });

  await t.test('renews for no other reason', async t => {
    const { relay, plinth, store } = await start(t);
    const body = { current_password: 'not this one', new_password: 'a horse that staples' };
    assert.equal((await plinth.api.PUT('/me/password', { body })).error?.code, 'invalid_credentials');
    assert.deepEqual(relay.seen.splice(0), ['PUT /me/password 401']);
    assert.equal((await plinth.login('nobody@example.com', 'nothing'))?.code, 'invalid_credentials');
    assert.deepEqual(relay.seen.splice(0), ['POST /login 401']);
    store.save(undefined);
    assert.equal((await plinth.api.GET('/me')).error?.code, 'unauthenticated');
    assert.deepEqual(relay.seen.splice(0), ['GET /me 401']);
  });

  await t.test('gives up when the session is over, after one attempt', async t => {
    const { relay, plinth, person, store } = await start(t);
    const token = await app.login(person);
    assert.equal((await app.request('DELETE', '/me/sessions', { token })).status, 204);
    assert.equal((await plinth.api.GET('/me')).error?.code, 'invalid_token');
    assert.deepEqual(relay.seen.splice(0), ['GET /me 401', 'POST /refresh 401']);
    assert.equal(store.tokens, undefined);
    assert.equal((await plinth.api.GET('/me')).error?.code, 'unauthenticated');
    assert.deepEqual(relay.seen, ['GET /me 401']);
  });

  await t.test('is not logged out by a lost answer', async t => {
    const { relay, plinth, store } = await start(t);
    app.turnClock(ttl);
    const lost = relay.loseNext('/refresh');
    assert.ok((await plinth.api.GET('/me')).data);
    assert.deepEqual(relay.seen, ['GET /me 401', 'POST /refresh 200', 'POST /refresh 200', 'GET /me 200']);
    assert.equal(JSON.parse(await lost).refresh_token, store.tokens?.refresh_token);
  });

  await t.test('keeps the session while the service is away', async t => {
    const { relay, plinth } = await start(t);
    app.turnClock(ttl);
    relay.refuseNext('/refresh');
    await assert.rejects(plinth.api.GET('/me'), /could not be renewed: 503/);
    assert.ok((await plinth.api.GET('/me')).data);
  });

  await t.test('shares a session with another tab', async t => {
    const { relay, plinth, store } = await start(t);
    const other = createPlinth(relay.url, store);
    app.turnClock(ttl);
    // Each tab renews on its own; the tokens that were renewed first are used by nobody yet.
    const both = await Promise.all([plinth.api.GET('/me'), other.api.GET('/me')]);
    assert.ok(both.every(({ data }) => data));
    for (const tab of [plinth, other, plinth]) {
      app.turnClock(ttl);
      assert.ok((await tab.api.GET('/me')).data);
    }
  });

  await t.test('logs out, and a renewal that is on its way does not log in again', async t => {
    const { relay, plinth, store, person } = await start(t);
    app.turnClock(ttl);
    const lost = relay.loseNext('/refresh').then(() => store.save(undefined));
    assert.equal((await plinth.api.GET('/me')).error?.code, 'invalid_token');
    await lost;
    assert.equal(store.tokens, undefined);
    await plinth.login(person.email, person.password);
    const { access_token: token = '' } = store.tokens ?? {};
    await plinth.logout();
    assert.equal(store.tokens, undefined);
    assert.equal((await app.get('/me', { token })).status, 401);
  });
});

interface Started {
  readonly relay: Relay;
  readonly store: Store;
  readonly plinth: Plinth;
  readonly person: Person;
}
