/**
 * Requests of the OpenAPI document and bytes, changed in every way, against the service as a process of its own:
 * `npm run fuzz -- --count 1000000 --seed 1`. The same seed makes the same cases. Exit code 1: an answer that the document
 * does not have, a 5xx but a 503, a line of the log that is an error, the end of the process, or memory that grows.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { resident, startService } from '../../bench/support/processes.ts';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: { count: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
/** MB that the process may grow by once it has had a fifth of the requests. */
const growth = 100;

const folder = mkdtempSync(join(tmpdir(), 'plinth-fuzz-'));
const service = await startService(folder, {
  NODE_ENV: 'test',
  BCRYPT_COST: '4',
  LOG_LEVEL: 'error',
  DATABASE_URL: 'sqlite::memory:',
});
const began = performance.now();
let warm = 0;
try {
  const { statuses, faults } = await fuzz({
    url: `http://127.0.0.1:${service.port}`,
    seed,
    count,
    connections: 64,
    onProgress: done => {
      if (warm === 0 && done >= count / 5) warm = resident(service.pid);
    },
  });
  const after = resident(service.pid);
  const errors = readFileSync(join(folder, 'log'), 'utf8');
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(
    `${count} cases, seed ${seed}, ${seconds.toFixed(0)} s (${Math.round(count / seconds)} a second): ${JSON.stringify(statuses)}\n` +
      `resident after a fifth ${warm.toFixed(0)} MB, at the end ${after.toFixed(0)} MB; ${faults.length} faults\n`,
  );
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.stdout.write(errors);
  if (faults.length > 0 || errors !== '' || after > warm + growth) process.exitCode = 1;
} finally {
  await service.stop();
  rmSync(folder, { recursive: true });
}
