import assert from 'node:assert/strict';
import test from 'node:test';
import { startApp } from '../helpers/app.ts';

const hour = 3600;
const day = 24 * hour;

test('a clock that is set back keeps nobody out, not even behind the first key', async t => {
  const app = await startApp(t);
  const person = await app.person();
  for (const step of [hour, day]) {
    app.turnClock(-step);
    const token = await app.login(person);
    assert.equal((await app.get('/me', { token })).status, 200);
    const { body } = await app.post('/login', { email: person.email, password: person.password });
    assert.equal((await app.post('/refresh', { refresh_token: body.refresh_token })).status, 200);
  }
});

test('a clock that is set forward ends what has had its time, and nothing else', async t => {
  const app = await startApp(t);
  const person = await app.person();
  const { body } = await app.post('/login', { email: person.email, password: person.password });
  app.turnClock(hour);
  assert.equal((await app.get('/me', { token: person.token })).status, 401);
  const refreshed = await app.post('/refresh', { refresh_token: body.refresh_token });
  assert.equal(refreshed.status, 200);
  assert.equal((await app.get('/me', { token: refreshed.body.access_token })).status, 200);
  app.turnClock(day);
  assert.equal((await app.post('/refresh', { refresh_token: refreshed.body.refresh_token })).status, 200);
});
