import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogOutput } from './log-output.ts';

export interface Log extends Logger {
  /** Below the logger: for lines that are JSON already. The caller asks for the level. */
  readonly stream: DestinationStream;
}

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
