import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { buildApp } from '../src/app.ts';
import { systemGauge } from '../src/gauge.ts';
import type { Gauge, Strain } from '../src/overload.ts';
import { startApp, type TestApp } from './helpers/app.ts';
import { routesOf } from './helpers/routes.ts';

const calm: Strain = { delay: 0, memory: 0.2 };
const full: Strain = { delay: 10_000, memory: 0.2 };

/** What can be asked, by the order in which it is given up, and what comes of it when nothing is shed. */
const asked: readonly (readonly [method: string, path: string, status: number])[] = [
  ['POST', '/users', 415],
  ['GET', '/docs', 200],
  ['POST', '/login', 415],
  ['POST', '/refresh', 415],
  ['GET', '/.well-known/jwks.json', 200],
  ['GET', '/me', 401],
  ['POST', '/logout', 401],
  ['GET', '/health', 200],
  ['GET', '/health/live', 200],
  ['GET', '/health/ready', 200],
];

/** How many of the list are shed after so many seconds of so much delay, and then after so many calm ones. */
const courses: readonly (readonly [
  name: string,
  course: readonly (readonly [delay: number, seconds: number])[],
  shed: number,
])[] = [
  ['nothing', [[0, 10]], 0],
  ['at the limit', [[100, 10]], 0],
  ['a single pause of a minute', [[60_000, 0.1]], 0],
  ['two pauses', [[400, 0.2]], 0],
  ['half above the limit for long', [[150, 10]], 2],
  ['three times the limit for long', [[300, 10]], 3],
  ['five times the limit for long', [[500, 10]], 7],
  ['a hundred times the limit for a second', [[10_000, 1]], 7],
  [
    'that, and better, but not by half',
    [
      [10_000, 2],
      [250, 10],
    ],
    7,
  ],
  [
    'that, and calm for 0.9 s',
    [
      [10_000, 2],
      [0, 0.9],
    ],
    3,
  ],
  [
    'that, and calm for 1.8 s',
    [
      [10_000, 2],
      [0, 1.8],
    ],
    2,
  ],
  [
    'that, and calm for 3 s',
    [
      [10_000, 2],
      [0, 3],
    ],
    0,
  ],
  [
    'that, and late enough for registrations only',
    [
      [10_000, 2],
      [0, 1.5],
      [150, 10],
    ],
    2,
  ],
];

test('requests are given up in order of importance, the later the event loop the more, and taken on again', async t => {
  for (const [name, course, shed] of courses) {
    await t.test(name, async t => {
      const { app, pass } = await startStrained(t);
      for (const [delay, seconds] of course) await pass({ ...calm, delay }, seconds);
      assert.deepEqual(
        await statuses(app),
        asked.map(([, , status], at) => (at < shed ? 503 : status)),
      );
    });
  }
});

const memories: readonly (readonly [used: number, shed: number])[] = [
  [0.85, 0],
  [0.91, 2],
  [0.96, 3],
  [1.2, 7],
];

test('memory counts by itself, and at once in both directions', async t => {
  const { app, pass } = await startStrained(t);
  for (const [memory, shed] of memories) {
    await pass({ delay: 0, memory }, 0.1);
    assert.deepEqual(
      await statuses(app),
      asked.map(([, , status], at) => (at < shed ? 503 : status)),
    );
  }
  await pass(calm, 0.1);
  assert.deepEqual(
    await statuses(app),
    asked.map(([, , status]) => status),
  );
});

test('between two classes a part of one is shed', async t => {
  const { app, pass } = await startStrained(t, Math.random);
  await pass({ delay: 0, memory: 0.87 }, 0.1);
  const share = { shed: 0 };
  for (let i = 0; i < 200; i++) if ((await app.get('/docs')).status === 503) share.shed++;
  assert.ok(share.shed > 40 && share.shed < 120, `${share.shed} of 200 at 0.4`);
});

test('what is shed says so, with times that differ, and is neither read nor verified nor logged one by one', async t => {
  const { app, pass } = await startStrained(t, Math.random);
  const { token } = await app.person();
  await pass(full, 2);
  const lines = app.logged.length;
  const answers = [];
  for (let i = 0; i < 50; i++) {
    answers.push(
      await app.request('POST', '/users', { body: '{', headers: { 'content-type': 'application/json' } }),
    );
    answers.push(await app.get('/me', { token: i % 2 ? token : 'nonsense' }));
  }
  for (const { status, body } of answers) assert.deepEqual([status, body.code], [503, 'overloaded']);
  const waits = new Set(answers.map(({ headers }) => headers.get('retry-after')));
  assert.deepEqual([...waits].sort(), ['1', '2', '3', '4', '5']);
  const warnings = app.logged.slice(lines).filter(({ level }) => Number(level) > 30);
  assert.deepEqual(warnings, []);
  await pass(calm, 5);
  await app.get('/me', { token });
  const events = app.logged.filter(({ event }) => String(event).startsWith('shedding'));
  assert.deepEqual(
    events.map(({ event, delay, memory, shed }) => [event, delay, memory, Number(shed) >= 100]),
    [
      ['shedding_started', full.delay, full.memory, false],
      ['shedding_ended', undefined, undefined, true],
    ],
  );
});

test('every route has a place in the order, and a new one that anybody may call the first', async t => {
  const { app, pass } = await startStrained(t);
  await pass(full, 2);
  const twin = await buildApp(app.world);
  t.after(() => twin.close());
  for (const route of await routesOf(twin)) {
    const [method = '', path = ''] = route.split(' ');
    const { status } = await app.request(
      method,
      path.replace(/:\w+/g, '019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17'),
    );
    assert.equal(status, path.startsWith('/health') ? 200 : 503, route);
  }

  const { world, pass: strain } = await startStrained(t);
  const extended = await buildApp(world);
  t.after(() => extended.close());
  extended.get('/new', { config: { access: 'public' } }, async () => 'served');
  extended.get('/mine', { config: { access: 'session' } }, async () => 'served');
  const ask = async (url: string) => (await extended.inject(url)).statusCode;
  await strain({ delay: 0, memory: 0.91 }, 0.1);
  assert.deepEqual([await ask('/new'), await ask('/mine')], [503, 401]);
});

test('the process measures itself', async t => {
  const gauge = systemGauge(1);
  t.after(() => gauge.stop());
  await reading(gauge);
  const until = performance.now() + 400;
  while (performance.now() < until);
  await new Promise(resolve => setTimeout(resolve, 50));
  const strain = await reading(gauge);
  assert.ok(strain.delay > 50, `${strain.delay} ms`);
  assert.ok(strain.memory > 1, 'a process has more than one MiB');
  assert.equal(gauge.read(), undefined);
  const whole = systemGauge(0);
  t.after(() => whole.stop());
  const { memory } = await reading(whole);
  assert.ok(memory > 0 && memory < 0.85);
});

test('garbage does not count as memory that is used, and is not looked for all the time', async t => {
  const waste: unknown[] = [];
  for (let i = 0; i < 1_000_000; i++) waste.push({ i });
  const mebibytes = process.memoryUsage.rss() / 1024 ** 2;
  waste.length = 0;
  let collections = 0;
  const gauges = [
    systemGauge(mebibytes),
    systemGauge(1, () => collections++),
    systemGauge(0, () => collections++),
  ];
  t.after(() => {
    for (const gauge of gauges) gauge.stop();
  });
  const [{ memory = 1 } = {}] = await Promise.all(gauges.map(reading));
  assert.ok(memory < 0.9, `${memory}`);
  await Promise.all(gauges.map(reading));
  assert.equal(collections, 1);
});

/** As soon as there is one: a process that was not given the machine for a while has measured nothing yet. */
async function reading(gauge: Gauge): Promise<Strain> {
  for (;;) {
    const strain = gauge.read();
    if (strain) return strain;
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

async function statuses(app: TestApp): Promise<number[]> {
  const answers: number[] = [];
  for (const [method, path] of asked) answers.push((await app.request(method, path)).status);
  return answers;
}

/** A service of which a test says how behind it is. `pass` lets seconds go by with a request every 0.1 s. */
async function startStrained(t: TestContext, random = () => 0.999) {
  let strain = calm;
  let now = 0;
  const app = await startApp(t, {
    gauge: { read: () => strain, stop: () => undefined },
    monotonic: () => now,
    random,
  });
  const pass = async (next: Strain, seconds: number): Promise<void> => {
    strain = next;
    for (const end = now + seconds * 1000; now < end - 1; ) {
      now += 100;
      await app.get('/docs');
    }
  };
  return { app, world: app.world, pass };
}
