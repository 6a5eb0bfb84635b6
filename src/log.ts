import { type DestinationStream, type Logger, pino } from 'pino';

export interface Log extends Logger {
  /** Below the logger: for lines that are JSON already. The caller asks for the level. */
  readonly stream: DestinationStream;
}

/** Where lines go, and how they are got out at the end. */
export interface LogOutput {
  readonly stream: DestinationStream;
  /** Writes what is buffered, synchronously. */
  flush(): void;
}

/**
 * JSON lines to a file descriptor, in blocks of 16 KiB or every 100 ms, whichever comes first: handing over every line
 * would cost more than the request that it tells of.
 */
export function bufferedOutput(fd: number): LogOutput {
  const destination = pino.destination({ fd, sync: false });
  let lines = '';
  let timer: NodeJS.Timeout | undefined;
  const handOver = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (lines !== '') destination.write(lines);
    lines = '';
  };
  const stream = {
    write(line: string): void {
      lines += line;
      if (lines.length >= blockLength) handOver();
      else timer ??= setTimeout(handOver, 100).unref();
    },
  };
  return {
    stream,
    flush: () => {
      handOver();
      destination.flushSync();
    },
  };
}

const blockLength = 16_384;

/** Lines for people, at once. For development: `pino-pretty` is not there in production. */
export async function prettyOutput(): Promise<LogOutput> {
  const { default: pretty } = await import('pino-pretty');
  return { stream: pretty({ sync: true, ignore: 'pid,hostname' }), flush: () => undefined };
}

/** `level`: a pino level. Nothing is redacted here, because nothing secret is ever passed in. */
export function createLog(level: string, { stream }: LogOutput): Log {
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  return Object.assign(log, { stream });
}
