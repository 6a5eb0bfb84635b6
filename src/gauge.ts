import { totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Gauge, memoryFrom } from './overload.ts';

/** Milliseconds between the samples that the event loop's delay is measured by. */
const resolution = 20;
/** Milliseconds from one collection of garbage to the next; where one takes long, ten times as long as it took. */
const collectionInterval = 5000;

/**
 * The process as it is. `memoryLimit`: MiB that it may keep resident; 0 is what its control group allows, or else
 * what the machine has. The heap has a limit of its own (`--max-old-space-size`); what is nearer counts.
 *
 * Garbage is resident too, until V8 collects it, which it does only where somebody allocates: a process that refuses what
 * it is asked, because a burst has filled its memory, would do so for good. So before it says that memory is full,
 * `collect` makes it throw away what nobody needs.
 */
export function systemGauge(memoryLimit: number, collect = collectGarbage): Gauge {
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  const limit =
    memoryLimit > 0 ? memoryLimit * 1024 ** 2 : Math.min(process.constrainedMemory() || Infinity, totalmem());
  let seen = { count: 0, sum: 0 };
  let collectFrom = Number.NEGATIVE_INFINITY;

  function needed(): number {
    const began = performance.now();
    const resident = process.memoryUsage.rss();
    if (resident <= limit * memoryFrom || began < collectFrom) return resident;
    collect();
    const end = performance.now();
    collectFrom = end + Math.max(collectionInterval, 10 * (end - began));
    return process.memoryUsage.rss();
  }

  return {
    read() {
      // Not reset between readings: the first delay after that is not recorded, and may be the long one.
      const { count, mean } = delays;
      const samples = count - seen.count;
      if (samples <= 0) return undefined;
      const sum = count * mean;
      const delay = Math.max(0, (sum - seen.sum) / samples / 1e6 - resolution);
      seen = { count, sum };
      const resident = needed();
      const { used_heap_size: used, heap_size_limit: heap } = getHeapStatistics();
      return { delay, memory: Math.max(resident / limit, used / heap) };
    },
    stop: () => void delays.disable(),
  };
}

/** And gives back to the system what is free then. As bin/start.js does it after the start. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  setFlagsFromString('--no-expose-gc');
}
