import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from './config.ts';
import { bufferedOutput, type LogOutput } from './log-output.ts';

export interface Log extends Logger {
  /** Below the logger: for lines that are JSON already. The caller asks for the level. */
  readonly stream: DestinationStream;
  /** What such a line has to have besides: `,"name":value`, or nothing. */
  readonly fields: string;
  /** The wall clock's, as such a line has it. */
  readonly timestamp: () => string;
}

/**
 * The log of this process on standard output: for people in development, JSON otherwise. `shared`: other processes write
 * to it too, and every line says which one it is from.
 */
export async function openLog(
  { environment, logLevel }: Pick<Config, 'environment' | 'logLevel'>,
  { shared }: { readonly shared: boolean },
): Promise<{ readonly log: Log; readonly output: LogOutput }> {
  const output = environment === 'development' ? await prettyOutput() : bufferedOutput(1, shared);
  return { log: createLog(logLevel, output, shared ? process.pid : undefined), output };
}

/** Lines for people, at once. For development: `pino-pretty` is not there in production. */
async function prettyOutput(): Promise<LogOutput> {
  const { default: pretty } = await import('pino-pretty');
  return { stream: pretty({ sync: true, ignore: 'pid,hostname' }), flush: () => undefined };
}

/**
 * `level`: a pino level. `pid`: of the process, where several write the same log. Nothing is redacted here, because
 * nothing secret is ever passed in.
 */
export function createLog(level: string, { stream }: LogOutput, pid?: number): Log {
  const base = pid === undefined ? null : { pid };
  const log = pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  const fields = pid === undefined ? '' : `,"pid":${pid}`;
  return Object.assign(log, { stream, fields, timestamp: timestamps() });
}

/** Many lines are of one millisecond, and writing it down costs more than all else of a line. */
function timestamps(): () => string {
  let millisecond = 0;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== millisecond) {
      millisecond = now;
      text = new Date(now).toISOString();
    }
    return text;
  };
}
