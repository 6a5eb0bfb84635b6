import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Database, DatabaseRefused, DatabaseUnavailable, openDatabase } from '../../src/database.ts';
import { fingerprint } from '../database/sqlite/support.ts';
import { randomFrom } from '../database/support.ts';
import { startApp } from '../helpers/app.ts';
import type { Scope } from '../helpers/scope.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { folderOf } from './service.ts';

export const damage: Experiment = {
  name: 'damage',
  shows:
    'flipped bytes, cut files, mixed files: refused with a reason and left alone, or served; never begun anew',
  unable: ({ database }) => (database === undefined ? undefined : 'it is about SQLite'),
  run: (scope, plan) => damageAgain(scope, plan, openDatabase),
  control: (scope, plan) => damageAgain(scope, { ...plan, rounds: 4 }, openOrBeginAnew),
};

type Open = typeof openDatabase;
const people = Array.from({ length: 40 }, (_, n) => `person${n}@example.com`);
/** So many of them are not in the log of the crash any more. */
const inFile = people.length / 2;
const password = 'a very good passphrase';

async function damageAgain(scope: Scope, plan: Plan, open: Open): Promise<Observed> {
  const rounds = plan.rounds ?? (plan.scale === 'full' ? 400 : 6);
  const random = randomFrom(plan.seed);
  const folder = folderOf(scope);
  const originals = await makeOriginals(scope, folder);
  const findings: string[] = [];
  const figures = {
    rounds,
    refused: 0,
    served: 0,
    'served, with answers 5xx': 0,
    'served, with something missing': 0,
  };

  for (let round = 0; round < rounds; round++) {
    const original = originals[round % originals.length] ?? '';
    const path = join(folder, `round${round}`, 'plinth.db');
    mkdirSync(join(path, '..'));
    for (const end of ['', '-wal']) if (existsSync(original + end)) copyFileSync(original + end, path + end);
    const what = hurt(path, random);
    const before = fingerprint(join(path, '..'));
    try {
      const database = await open(`sqlite:${path}`);
      try {
        const { found, refused } = await serve(database);
        figures.served++;
        if (refused > 0) figures['served, with answers 5xx']++;
        else if (found.length < people.length) figures['served, with something missing']++;
        if (found.length + refused === 0) findings.push(`${what}: begun anew, or nobody is left`);
        if (what.endsWith('-wal') && refused === 0) {
          // A log that is damaged ends earlier: what is there is what was there at some moment.
          if (found.at(-1) !== people[found.length - 1])
            findings.push(`${what}: somebody is missing between others`);
          if (found.length < inFile) findings.push(`${what}: somebody is missing who was not in the log`);
        }
      } catch (error) {
        // Of some things a start can only tell when the database is open.
        if (!(error instanceof DatabaseRefused)) throw error;
        figures.refused++;
      } finally {
        await database.close();
      }
    } catch (error) {
      if (!(error instanceof DatabaseRefused || error instanceof DatabaseUnavailable)) {
        findings.push(`${what}: ${error}`);
        continue;
      }
      figures.refused++;
      // Reading a log needs an index beside it, which SQLite makes and does not remove.
      const { 'plinth.db-shm': _index, ...after } = fingerprint(join(path, '..'));
      if (JSON.stringify(after) !== JSON.stringify(before)) findings.push(`${what}: refused, and changed`);
    }
    rmSync(join(path, '..'), { recursive: true });
  }
  return { findings, figures };
}

/** A database as it was closed, and one as a crash left it, with half of the people in its log alone. */
async function makeOriginals(scope: Scope, folder: string): Promise<string[]> {
  const [closed, crashed] = [join(folder, 'closed.db'), join(folder, 'crashed.db')];
  const database = await openDatabase(`sqlite:${closed}`);
  const app = await startApp(scope, { database });
  for (const [n, email] of people.entries()) {
    if (n === inFile) copyLogBack(closed);
    await app.register(email, password);
  }
  for (const end of ['', '-wal']) copyFileSync(closed + end, crashed + end);
  await app.stop();
  await database.close();
  return [closed, crashed];
}

function copyLogBack(path: string): void {
  using raw = new DatabaseSync(path);
  const { busy } = raw.prepare('pragma wal_checkpoint(truncate)').get() ?? {};
  if (busy !== 0) throw new Error('the log could not be copied back');
}

/** Who of the people can log in. What the service cannot do with a damaged database it has to say, not to crash. */
async function serve(database: Database): Promise<{ found: string[]; refused: number }> {
  await using ending = new AsyncDisposableStack();
  const app = await startApp({ after: end => ending.defer(async () => void (await end())) }, { database });
  const found: string[] = [];
  let refused = 0;
  for (const email of people) {
    const { status, body } = await app.post('/login', { email, password });
    if (status >= 500) refused++;
    if (status === 200 && (await app.get('/me', { token: body.access_token })).body.email === email)
      found.push(email);
  }
  return { found, refused };
}

/** Does something to the database or its log; what. */
function hurt(path: string, random: () => number): string {
  const below = (limit: number) => Math.floor(random() * limit);
  const end = existsSync(`${path}-wal`) && random() < 0.5 ? '-wal' : '';
  const bytes = readFileSync(path + end);
  const at = below(bytes.length);
  const kinds = {
    flip: () => {
      for (let n = below(64) + 1; n > 0; n--) bytes.writeUInt8(below(256), below(bytes.length));
      return bytes;
    },
    cut: () => bytes.subarray(0, at),
    // What is empty is a new database.
    'cut to whole pages': () => bytes.subarray(0, Math.max(4096, at - (at % 4096))),
    'fill a page with zeros': () => bytes.fill(0, at - (at % 4096), at - (at % 4096) + 4096),
    'repeat a page elsewhere': () => {
      bytes.copy(bytes, at - (at % 4096), 0, 4096);
      return bytes;
    },
  };
  const [name, make] = Object.entries(kinds)[below(Object.keys(kinds).length)] ?? ['flip', kinds.flip];
  writeFileSync(path + end, make());
  return `${name} at ${at} of plinth.db${end}`;
}

/** Broken on purpose: where a database cannot be opened, it makes a new one. */
const openOrBeginAnew: Open = async (url, options) => {
  try {
    return await openDatabase(url, options);
  } catch {
    for (const end of ['', '-wal', '-shm']) rmSync(url.slice('sqlite:'.length) + end, { force: true });
    return await openDatabase(url, options);
  }
};
