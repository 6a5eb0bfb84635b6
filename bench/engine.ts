/**
 * Hashes a second, and how long each takes, of the hashing engine and of the two native libraries on libuv's pool, in one
 * process and by turns, so that what else the machine does meets all alike. The delays of the event loop and
 * the time of a core come along. `node bench/engine.ts [--cost 12] [--seconds 3] [--rounds 3] [--concurrency 1,2,4,16,64]`
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import * as native from '@node-rs/bcrypt';
import bcrypt from 'bcrypt';
import { createLaneEngine } from '../src/bcrypt/index.ts';

const { values } = parseArgs({
  options: {
    cost: { type: 'string', default: '12' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '1,2,4,16,64' },
  },
});
const cost = Number(values.cost);
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);

interface Sample {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly stall: number;
  /** Milliseconds of one core for one hash, which other work on the machine hardly changes. */
  readonly cpu: number;
}

const engine = await createLaneEngine({ maxWait: Number.POSITIVE_INFINITY, log: () => {} });
const password = Buffer.from('correct horse battery staple');
const salt = Buffer.alloc(16, 1);
const text = bcrypt.genSaltSync(cost);
const subjects: Record<string, () => Promise<unknown>> = {
  engine: () => engine.digest({ password, salt, cost }),
  '@node-rs/bcrypt': () => native.hash(password, cost, salt),
  bcrypt: () => bcrypt.hash(password, text),
};

const results = [];
print(`cost ${cost}, ${availableParallelism()} cores (${cpus()[0]?.model}), medians of ${rounds} rounds`);
print(`${engine.description}; libuv's pool has its four threads`);
print(`callers  ${'library'.padEnd(16)} hashes/s      ×     p50 ms    p99 ms  loop p99   CPU ms`);
for (const concurrency of values.concurrency.split(',').map(Number)) {
  const samples = new Map(Object.keys(subjects).map(name => [name, [] as Sample[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, hash] of Object.entries(subjects))
      samples.get(name)?.push(await sample(hash, concurrency));
  }
  const ours = median(samples.get('engine') ?? [], 'rate');
  for (const [name, list] of samples) {
    const rate = median(list, 'rate');
    const [p50, p99, stall] = [median(list, 'p50'), median(list, 'p99'), median(list, 'stall')];
    const cpu = median(list, 'cpu');
    results.push({ concurrency, name, rate, p50, p99, stall, cpu, rates: list.map(each => each.rate) });
    const times = [p50.toFixed(0), p99.toFixed(0), stall.toFixed(1), cpu.toFixed(1)];
    const columns = [rate.toFixed(1), (ours / rate).toFixed(2), ...times].map(column => column.padStart(8));
    print(`${`${concurrency}`.padStart(7)}  ${name.padEnd(16)} ${columns.join('  ')}`);
  }
}
await engine.close();
const folder = new URL('results/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL(`engine-${cost}.json`, folder), `${JSON.stringify({ cost, results }, null, 2)}\n`);

/** Callers who each ask again as soon as they are answered. The first and the last hash of each do not count. */
async function sample(hash: () => Promise<unknown>, concurrency: number): Promise<Sample> {
  const latencies: number[] = [];
  const start = { at: 0, warm: 0, cpu: process.cpuUsage() };
  let end = 0;
  let cpu = Number.NaN;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const caller = async () => {
    await hash();
    start.warm++;
    if (start.warm === concurrency) {
      start.at = performance.now();
      start.cpu = process.cpuUsage();
      delay.enable();
    }
    for (;;) {
      const begun = performance.now();
      if (start.at > 0 && begun > start.at + seconds * 1000) break;
      await hash();
      const now = performance.now();
      if (start.at === 0 || now > start.at + seconds * 1000) continue;
      latencies.push(now - begun);
      end = now;
      const used = process.cpuUsage(start.cpu);
      cpu = (used.user + used.system) / 1000 / latencies.length;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  delay.disable();
  latencies.sort((a, b) => a - b);
  return {
    rate: (latencies.length * 1000) / (end - start.at),
    p50: latencies[Math.floor(latencies.length * 0.5)] ?? Number.NaN,
    p99: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
    stall: delay.percentile(99) / 1e6,
    cpu,
  };
}

function median(samples: readonly Sample[], of: keyof Sample): number {
  const sorted = samples.map(each => each[of]).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
