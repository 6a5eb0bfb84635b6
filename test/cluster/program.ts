/** A primary and workers without a service: `node program.ts WORKERS STARTS`. From the worker with the number STARTS on, they end at once. */
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { startWorkers, WorkerFailed } from '../../src/cluster/primary.ts';
import { isWorker, reportToPrimary } from '../../src/cluster/worker.ts';
import { recordIn } from '../../src/events.ts';
import { createLog } from '../../src/log.ts';
import { bufferedOutput } from '../../src/log-output.ts';

const [count = 1, starts = 1] = process.argv.slice(2).map(Number);

if (isWorker) {
  if ((cluster.worker?.id ?? 0) >= starts) process.exit(3);
  const server = createServer((request, response) => {
    if (request.url === '/crash') process.exit(7);
    // Does not come back.
    while (request.url === '/hang');
    response.end(JSON.stringify({ pid: process.pid, threads: Number(process.env['HASH_THREADS']) }));
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    reportToPrimary(`http://127.0.0.1:${address.port}`, () => {
      server.close(() => process.exit(0));
      server.closeAllConnections();
    });
  });
} else {
  const waits = [1, 1, 1, 1];
  try {
    const workers = await startWorkers({
      count,
      hashThreads: 5,
      record: recordIn(createLog('info', bufferedOutput(1))),
      monotonic: () => performance.now(),
      restarts: { afterDeath: () => waits.pop() },
      onGivenUp: reason => {
        process.stderr.write(`${reason}\n`);
        process.exit(1);
      },
    });
    process.stderr.write(`listens on ${workers.address}\n`);
    process.once('SIGUSR2', () => process.exit(4));
    process.once('SIGTERM', () =>
      workers.stop(0).then(
        () => process.exit(0),
        () => process.exit(2),
      ),
    );
  } catch (error) {
    if (!(error instanceof WorkerFailed)) throw error;
    process.exitCode = error.code;
  }
}
