import { CommandRefused } from './command.ts';

/** Runs what takes a while; the first Ctrl-C or SIGTERM ends it in order, as a `CommandRefused`. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new CommandRefused('interrupted; nothing was changed'));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}
