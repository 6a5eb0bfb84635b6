import { totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Gauge } from './overload.ts';

/** Milliseconds between the samples that the event loop's delay is measured by. */
const resolution = 20;

/**
 * The process as it is. `memoryLimit`: MiB that it may keep resident; 0 is what its control group allows, or else
 * what the machine has. The heap has a limit of its own (`--max-old-space-size`); what is nearer counts.
 */
export function systemGauge(memoryLimit: number): Gauge {
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  const limit =
    memoryLimit > 0 ? memoryLimit * 1024 ** 2 : Math.min(process.constrainedMemory() || Infinity, totalmem());
  let seen = { count: 0, sum: 0 };
  return {
    read() {
      // Not reset between readings: the first delay after that is not recorded, and may be the long one.
      const { count, mean } = delays;
      const samples = count - seen.count;
      if (samples <= 0) return undefined;
      const sum = count * mean;
      const delay = Math.max(0, (sum - seen.sum) / samples / 1e6 - resolution);
      seen = { count, sum };
      const { used_heap_size: used, heap_size_limit: heap } = getHeapStatistics();
      return { delay, memory: Math.max(process.memoryUsage.rss() / limit, used / heap) };
    },
    stop: () => void delays.disable(),
  };
}
