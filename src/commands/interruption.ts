import { CommandRefused } from './command.ts';

/** Ctrl-C, a supervisor, and a terminal that is gone. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs what takes a while; the first of these ends it in order, as a `CommandRefused`. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new CommandRefused('interrupted; nothing was changed'));
  for (const signal of signals) process.once(signal, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}
