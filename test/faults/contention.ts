import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { randomFrom } from '../database/support.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { AnswerLost, Person } from './person.ts';
import { folderOf, Node } from './service.ts';

/** Bytes of the write-ahead log. */
const mostLog = 64 * 2 ** 20;

export const contention: Experiment = {
  name: 'contention',
  shows:
    'two services and other programs on one SQLite file: no write fails because of another, the log stays bounded',
  unable: ({ database }) => (database === undefined ? undefined : 'it is about SQLite'),
  run: (scope, plan) => contend(scope, plan, {}),
  control: (scope, plan) =>
    contend(
      scope,
      { ...plan, scale: 'short' },
      { entry: fileURLToPath(new URL('./impatient-service.ts', import.meta.url)) },
    ),
};

async function contend(scope: Scope, plan: Plan, start: Start): Promise<Observed> {
  const isFull = plan.scale === 'full';
  const seconds = plan.rounds ?? (isFull ? 60 : 1);
  const folder = folderOf(scope);
  const [even, odd] = [new Node(scope, folder, undefined, start), new Node(scope, folder, undefined, start)];
  const nodes = [even, odd];
  for (const node of nodes) await node.start();
  const client = (n: number) => (n % 2 === 0 ? even : odd).client;
  const people = Array.from(
    { length: isFull ? 64 : 8 },
    (_, n) => new Person(`busy${n}@example.com`, `10.0.0.${n}`, randomFrom(plan.seed * 1000 + n)),
  );
  const findings: string[] = [];
  const file = join(folder, 'data/plinth.db');
  const begun = performance.now();
  const running = () => performance.now() - begun < seconds * 1000;
  let largest = 0;

  await Promise.all([
    readForLong(file, running),
    writeToo(file, running),
    ...people.map(async (person, n) => {
      while (running()) {
        try {
          await person.act(client(n));
        } catch (error) {
          if (!(error instanceof AnswerLost)) throw error;
          person.findings.push(`${person.email}: not served: ${error.message}`);
          return;
        }
      }
    }),
    (async () => {
      while (running()) {
        largest = Math.max(largest, statSync(`${file}-wal`).size);
        await pause(20);
      }
    })(),
  ]);
  for (const person of people) if (person.findings.length === 0) await person.check(client(0));
  for (const node of nodes) await node.stop();
  if (largest > mostLog) findings.push(`the log grew to ${largest} bytes`);
  findings.push(...people.flatMap(person => person.findings));
  const acknowledged = people.reduce((sum, person) => sum + person.acknowledged, 0);
  return {
    findings,
    figures: {
      'acknowledged writes': acknowledged,
      'writes a second': Math.round(acknowledged / seconds),
      'log, largest MiB': Math.round((largest / 2 ** 20) * 10) / 10,
    },
  };
}

/** Another program that reads, a read transaction after the other, as a backup does. Each keeps the log from starting anew. */
async function readForLong(file: string, running: () => boolean): Promise<void> {
  using reader = new DatabaseSync(file, { readOnly: true, timeout: 0 });
  while (running()) {
    reader.exec('begin');
    reader.prepare('select count(*) from sessions').get();
    await pause(500);
    reader.exec('commit');
    await pause(50);
  }
}

/** Another program that writes, and keeps the file for some milliseconds each time. */
async function writeToo(file: string, running: () => boolean): Promise<void> {
  using writer = new DatabaseSync(file, { timeout: 2000 });
  while (running()) {
    writer.exec('begin immediate');
    writer.exec("update instance set value = value where name = 'secret_fingerprint'");
    await pause(20);
    writer.exec('commit');
    await pause(200);
  }
}
