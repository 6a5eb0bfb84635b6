/**
 * How long the service takes from the start of its process to the first connection it takes, and how much memory it then
 * keeps: on an existing database, after a login, idle. `node bench/start.ts [starts]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { registerPeople } from './support/people.ts';
import { cpuTime, resident, startService } from './support/processes.ts';
import { median, printTable, storeJson } from './support/report.ts';

const starts = Number(process.argv[2] ?? 10);
const idle = 10_000;

const folder = mkdtempSync(join(tmpdir(), 'plinth-start-'));
const first = await startService(folder);
await first.stop();

const samples: { milliseconds: number; cpu: number; resident: number }[] = [];
for (let start = 0; start < starts; start++) {
  const service = await startService(folder);
  const cpu = cpuTime(service.pid);
  await pause(1000);
  samples.push({ milliseconds: service.started, cpu, resident: resident(service.pid) });
  await service.stop();
}

const service = await startService(folder);
await registerPeople(service.port, 1);
await pause(idle);
const afterLogin = resident(service.pid);
await service.stop();
rmSync(folder, { recursive: true });

const measured = {
  starts,
  start_ms: Math.round(median(samples.map(sample => sample.milliseconds))),
  start_cpu_ms: Math.round(median(samples.map(sample => sample.cpu))),
  resident_after_start_mb: Math.round(median(samples.map(sample => sample.resident))),
  resident_idle_after_login_mb: Math.round(afterLogin),
  first_start_ms: Math.round(first.started),
};
printTable(
  ['', ''],
  Object.entries(measured).map(([name, value]) => [name.replaceAll('_', ' '), String(value)]),
);
storeJson('start', { ...measured, samples });
