import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomFrom } from '../database/support.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import { type Disk, noSmallDisk, onSmallDisk, seenBy } from './disk.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { AnswerLost, Person, Refused } from './person.ts';
import { folderOf, Node } from './service.ts';

/** Milliseconds after which writes have to work again when there is space. */
const recoveredWithin = 5000;

export const diskFull: Experiment = {
  name: 'disk-full',
  shows:
    'a full disk: writes are refused with 503, reads go on, nothing acknowledged is lost, no restart is needed',
  unable: () => noSmallDisk('memory'),
  run: async (scope, plan) => {
    const inMemory = await fillAgain(scope, plan, 'memory', {});
    if (plan.scale === 'short' || noSmallDisk('ext4')) return inMemory;
    const onExt4 = await fillAgain(scope, plan, 'ext4', {});
    const named = Object.entries(onExt4.figures).map(([name, figure]) => [`ext4: ${name}`, figure]);
    return {
      findings: [...inMemory.findings, ...onExt4.findings],
      figures: { ...inMemory.figures, ...Object.fromEntries(named) },
    };
  },
  control: (scope, plan) =>
    fillAgain(scope, { ...plan, rounds: 1 }, 'memory', {
      entry: fileURLToPath(new URL('./heedless-service.ts', import.meta.url)),
    }),
};

async function fillAgain(scope: Scope, plan: Plan, kind: Disk, start: Start): Promise<Observed> {
  const isFull = plan.scale === 'full';
  const rounds = plan.rounds ?? (isFull ? 5 : 1);
  const folder = folderOf(scope);
  const under = onSmallDisk(folder, kind, kind === 'memory' ? 16 : 24);
  const node = new Node(scope, folder, undefined, { ...start, under });
  await node.start();
  const { client } = node;
  const { pid } = node.process.child;
  const disk = seenBy(pid, folder);
  const findings: string[] = [];
  const figures = { refusals: 0, reads: 0, slowest: 0 };
  const everybody: Person[] = [];

  for (let round = 0; round < rounds; round++) {
    // New people each time, whose rows the database has to grow for.
    const people = Array.from(
      { length: isFull ? 100 : 30 },
      (_, n) =>
        new Person(
          `p${n}.${round}@example.com`,
          `10.0.${round}.${n}`,
          randomFrom(plan.seed + round * 1000 + n),
        ),
    );
    everybody.push(...people);
    for (const person of people.slice(0, 10)) for (let n = 0; n < 4; n++) await person.act(client);
    fill(join(disk, 'filler'));

    const reading = new AbortController();
    const reader = readUntil(reading.signal, people.slice(0, 10));
    // Whoever is refused waits; the others go on until everybody was, or what space the files had is used again and again.
    await Promise.all(people.map(person => writeUntilRefused(person, isFull ? 60 : 20)));
    await pause(500);
    rmSync(join(disk, 'filler'));
    const freed = performance.now();
    const [first] = people;
    while (first && !(await first.accepts(client))) {
      if (performance.now() - freed > 4 * recoveredWithin) break;
      await pause(20);
    }
    figures.slowest = Math.max(figures.slowest, performance.now() - freed);
    reading.abort();
    await reader;
    await Promise.all(people.map(settled));
  }
  if (figures.refusals === 0) findings.push('no write was refused: the disk was not full');
  if (figures.slowest > recoveredWithin) findings.push('writes were refused after there was space again');
  if (statSync(join(disk, 'data/plinth.db')).size === 0) findings.push('the database is empty');
  await Promise.all(everybody.map(settled));
  const code = await node.stop();
  if (code !== 0) findings.push(`the service ended with ${code}`);

  async function writeUntilRefused(person: Person, most: number): Promise<void> {
    try {
      for (let n = 0; n < most; n++) await person.act(client);
    } catch (error) {
      if (error instanceof Refused) figures.refusals++;
      else throw error;
    }
  }

  async function readUntil(signal: AbortSignal, people: readonly Person[]): Promise<void> {
    while (!signal.aborted) {
      for (const person of people) figures.reads += await person.read(client);
      await pause(2);
    }
  }

  async function settled(person: Person): Promise<void> {
    try {
      await person.check(client);
    } catch (error) {
      if (!(error instanceof AnswerLost)) throw error;
      findings.push(`refused with space on the disk: ${error.message}`);
    }
  }

  findings.push(...everybody.flatMap(person => person.findings));
  return {
    findings,
    figures: {
      'times full': rounds,
      'acknowledged writes': everybody.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
      'writes refused': figures.refusals,
      'reads meanwhile, all answered': figures.reads,
      'writes again after, slowest ms': Math.round(figures.slowest),
    },
  };
}

/** Takes all the space there is, to the last byte. */
function fill(file: string): void {
  const filler = openSync(file, 'a');
  try {
    for (let size = 2 ** 20; size >= 1; ) {
      try {
        writeSync(filler, Buffer.alloc(size));
      } catch {
        size /= 2;
      }
    }
  } finally {
    closeSync(filler);
  }
}
