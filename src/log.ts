import { type DestinationStream, type Logger, pino } from 'pino';

export interface Log extends Logger {
  /** Below the logger: for lines that are JSON already. The caller asks for the level. */
  readonly stream: DestinationStream;
}

/** Where lines go, and how they are got out at the end. */
export interface LogOutput {
  readonly stream: DestinationStream;
  /** Resolves when what is buffered has been written. */
  flush(): Promise<void> | undefined;
}

/**
 * JSON lines to a file descriptor, in blocks of 16 KiB or every 100 ms, whichever comes first: handing over every line
 * would cost more than the request that it tells of. What is left at the end of the process goes out with it.
 */
export function bufferedOutput(fd: number): LogOutput {
  // Writes a whole block at once and by itself, anything less when it is told to.
  const destination = pino.destination({ fd, sync: false, minLength: blockLength - 1 });
  let lines = '';
  let timer: NodeJS.Timeout | undefined;
  const handOver = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (lines !== '') destination.write(lines);
    lines = '';
  };
  const flushLater = (): void => {
    handOver();
    destination.flush();
  };
  const flush = async (): Promise<void> => {
    handOver();
    // First what is being written already, so that the order stays.
    await new Promise(resolve => destination.flush(resolve));
    destination.flushSync();
  };
  process.once('exit', () => {
    handOver();
    destination.flushSync();
  });
  const stream = {
    write(line: string): void {
      lines += line;
      if (lines.length >= blockLength) handOver();
      else timer ??= setTimeout(flushLater, 100).unref();
    },
  };
  return { stream, flush };
}

/** Characters. */
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
