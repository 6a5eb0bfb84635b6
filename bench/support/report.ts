import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os';

const results = new URL('../results/', import.meta.url);

/** Writes `bench/results/NAME.json`: what was measured, on what, when. */
export function storeJson(name: string, measured: object): void {
  mkdirSync(results, { recursive: true });
  const report = {
    measured_at: new Date().toISOString(),
    machine: machine(),
    versions: versions(),
    ...measured,
  };
  writeFileSync(new URL(`${name}.json`, results), `${JSON.stringify(report, null, 2)}\n`);
}

export function storeSvg(name: string, svg: string): void {
  mkdirSync(results, { recursive: true });
  writeFileSync(new URL(`${name}.svg`, results), svg);
}

/** The last of its columns to the right, as figures are read. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, at) =>
    Math.max(...[title, ...rows.map(row => row[at] ?? '')].map(cell => cell.length)),
  );
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
    process.stdout.write(`${cells.join('  ')}\n`);
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

function machine() {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory_gb: Math.round(totalmem() / 1e9),
    system: `${type()} ${release()} ${arch()}`,
    load_before: loadBefore,
  };
}

/** Of the machine, one minute's average, before the benchmark adds its own: what else was running. */
const loadBefore = loadAverage();

function loadAverage(): number {
  return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
}

function versions(): Record<string, string> {
  const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
  const direct: Record<string, string> = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ).dependencies;
  const installed = Object.keys(direct).map(name => [name, lock.packages[`node_modules/${name}`].version]);
  return { node: process.versions.node, ...Object.fromEntries(installed) };
}
