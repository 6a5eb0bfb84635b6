import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Where lines go, and how they are got out at the end. */
export interface LogOutput {
  readonly stream: DestinationStream;
  /** Writes what is buffered, synchronously. */
  flush(): void;
}

/**
 * JSON lines to a file descriptor, written in blocks of 4 KiB or every 100 ms, whichever comes first: a write per line
 * would cost more than the request that it tells of.
 */
export function bufferedOutput(fd: number): LogOutput {
  const stream = pino.destination({ fd, sync: false, minLength: 4096, periodicFlush: 100 });
  return { stream, flush: () => stream.flushSync() };
}

/** Lines for people, at once. For development: `pino-pretty` is not there in production. */
export async function prettyOutput(): Promise<LogOutput> {
  const { default: pretty } = await import('pino-pretty');
  return { stream: pretty({ sync: true, ignore: 'pid,hostname' }), flush: () => undefined };
}

/** `level`: a pino level. Nothing is redacted here, because nothing secret is ever passed in. */
export function createLog(level: string, { stream }: LogOutput): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
