import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp, type TestApp, unlimited } from '../helpers/app.ts';

const good = 'a very good passphrase';

test('registration answers with the person, as the contract says', async t => {
  const app = await startApp(t);
  const { status, body } = await app.post('/users', {
    email: 'Ada@Example.com',
    password: good,
    name: 'Ada',
  });
  assert.equal(status, 201);
  assert.deepEqual(Object.keys(body), ['id', 'email', 'name', 'created_at', 'updated_at']);
  assert.match(body.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(body.email, 'Ada@Example.com');
  assert.equal(body.name, 'Ada');
  assert.match(body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(body.updated_at, body.created_at);
});

test('a new database has nobody in it, so no account whose password is known', async t => {
  await nobodyWasAdded(await startApp(t));
});

test('one of fifty registrations of one address at once is accepted, in whatever letter case', async t => {
  const app = await startApp(t, { settings: unlimited });
  const spellings = Array.from({ length: 50 }, (_, i) =>
    Array.from('ada.lovelace@example.com', (char, at) =>
      (i >> (at % 6)) & 1 ? char.toUpperCase() : char,
    ).join(''),
  );
  const answers = await Promise.all(spellings.map(email => app.post('/users', { email, password: good })));
  const statuses = answers.map(answer => answer.status).sort();
  assert.deepEqual(statuses, [201, ...Array(49).fill(409)]);
  for (const { status, body } of answers) if (status === 409) assert.equal(body.code, 'email_taken');
});

test('all faults of a body are reported at once', async t => {
  const app = await startApp(t);
  const { status, body } = await app.post('/users', {
    email: 'nobody',
    password: 'short',
    name: '\u001b[31m',
    role: 'admin',
    'a/b~c': 1,
  });
  assert.equal(status, 422);
  assert.equal(body.code, 'validation_failed');
  const faults = body.errors.map(
    (fault: { pointer: string; code: string }) => `${fault.pointer} ${fault.code}`,
  );
  assert.deepEqual(faults.sort(), [
    '/a~1b~0c unknown_field',
    '/email invalid_email',
    '/name invalid_name',
    '/password too_short',
    '/role unknown_field',
  ]);
});

const bodies: readonly (readonly [name: string, body: unknown, fault: string])[] = [
  ['no body fields', {}, '/email required'],
  ['a number as the email', { email: 1, password: good }, '/email wrong_type'],
  [
    'an operator object as the password',
    { email: 'a@example.com', password: { $gt: '' } },
    '/password wrong_type',
  ],
  ['a list', [{ email: 'a@example.com', password: good }], ' wrong_type'],
  ['null', null, ' wrong_type'],
  ['text', 'hello', ' wrong_type'],
  ['an empty name', { email: 'a@example.com', password: good, name: '' }, '/name too_short'],
  [
    'a name of 201 characters',
    { email: 'a@example.com', password: good, name: 'é'.repeat(201) },
    '/name too_long',
  ],
  [
    'half a surrogate pair as the name',
    { email: 'a@example.com', password: good, name: '\ud800' },
    '/name invalid_name',
  ],
  ['an id', { email: 'a@example.com', password: good, id: '1' }, '/id unknown_field'],
  ['a hash', { email: 'a@example.com', password: good, password_hash: 'x' }, '/password_hash unknown_field'],
  ['a time', { email: 'a@example.com', password: good, created_at: 'x' }, '/created_at unknown_field'],
  [
    'a constructor',
    { email: 'a@example.com', password: good, constructor: {} },
    '/constructor unknown_field',
  ],
];

test('bodies that are not a registration', async t => {
  const app = await startApp(t);
  for (const [name, json, fault] of bodies) {
    await t.test(name, async () => {
      const { status, body } = await app.post('/users', json);
      assert.equal(status, 422);
      const found = body.errors.map((one: { pointer: string; code: string }) => `${one.pointer} ${one.code}`);
      assert.ok(found.includes(fault), `${fault} is not among ${found}`);
    });
  }
  await nobodyWasAdded(app);
});

const passwords: readonly (readonly [name: string, password: string, code: string | undefined])[] = [
  ['seven letters', 'abcdxyz', 'too_short'],
  ['seven emoji, twenty-eight bytes', '🦊🐢🐘🦉🐙🐝🐬', 'too_short'],
  ['eight that are seven after NFC', 'e\u0301tranges'.slice(0, 8), 'too_short'],
  ['eight emoji', '🦊🐢🐘🦉🐙🐝🐬🦔', undefined],
  ['lower-case letters alone', 'wqjzmxkvtbplhgndcrfs', undefined],
  ['spaces around', '  quite a long one  ', undefined],
  ['Cyrillic', 'хорошийпароль', undefined],
  ['256 code points of four bytes', `${'😀'.repeat(255)}🦊`, undefined],
  ['257 code points', `${'x'.repeat(256)}y`, 'too_long'],
  ['half a surrogate pair', `${good}\ud800`, 'ill_formed_unicode'],
  ['the most used one', 'password', 'password_blocklisted'],
  ['a most used one in other letters', 'PassWord1', 'password_blocklisted'],
  ['a most used one and ten more', 'password1qzJ8wPm4t', undefined],
  ['the address', 'grace.hopper@navy.example', 'password_guessable'],
  ['the part before the @ with digits', 'grace.hopper1906', 'password_guessable'],
  ['its words in another order', 'HopperGrace!', 'password_guessable'],
  ['the service', 'plinth-2026!', 'password_guessable'],
  ['the address inside something longer', 'grace.hopper found a moth', undefined],
];

test('passwords: length in code points, the most used, and those made of the address', async t => {
  const app = await startApp(t);
  let count = 0;
  for (const [name, password, code] of passwords) {
    await t.test(name, async () => {
      const email = code ? 'grace.hopper@navy.example' : `grace.hopper@navy${++count}.example`;
      const { status, body } = await app.post('/users', { email, password });
      assert.equal(status, code ? 422 : 201, JSON.stringify(body));
      if (code)
        assert.deepEqual(
          body.errors.map((fault: { code: string }) => fault.code),
          [code],
        );
    });
  }
});

test('a megabyte of password is refused before it is looked at', async t => {
  let hashed = 0;
  const engine = {
    description: 'counts',
    digest: async () => {
      hashed++;
      return new Uint8Array(23);
    },
    close: async () => undefined,
  };
  const app = await startApp(t, { engine });
  const long = await app.post('/users', { email: 'a@example.com', password: 'x'.repeat(2 ** 20) });
  assert.equal(long.status, 413);
  assert.equal((await app.post('/users', { email: 'a@example.com', password: 'é'.repeat(257) })).status, 422);
  assert.equal((await app.post('/login', { email: 'a@example.com', password: 'é'.repeat(257) })).status, 422);
  assert.equal(hashed, 0);
  assert.equal((await app.post('/users', { email: 'a@example.com', password: good })).status, 201);
  assert.equal(hashed, 1);
});

test('the minimum length is a setting', async t => {
  const app = await startApp(t, { settings: { PASSWORD_MIN_LENGTH: '15' } });
  assert.equal(
    (await app.post('/users', { email: 'a@example.com', password: 'fourteen chars' })).status,
    422,
  );
  assert.equal(
    (await app.post('/users', { email: 'a@example.com', password: 'fifteen chars!!' })).status,
    201,
  );
});

async function nobodyWasAdded(app: TestApp): Promise<void> {
  assert.deepEqual(await app.world.database.db.selectFrom('users').select('id').execute(), []);
}
