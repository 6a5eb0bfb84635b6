import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** What `readConfig` reads: the process's environment, which goes before `.env` in the working folder. */
export function readEnvironment(): Record<string, string | undefined> {
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return { ...file, ...process.env };
}
