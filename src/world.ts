import type { BcryptEngine } from './bcrypt/engine.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Database } from './database.ts';
import type { Log } from './log.ts';
import type { Gauge } from './overload.ts';
import type { Limits } from './server.ts';
import type { Vault } from './vault.ts';

/** Everything the service touches of the world, passed in. */
export interface World {
  readonly config: Config;
  readonly version: string;
  readonly database: Database;
  readonly engine: BcryptEngine;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Milliseconds on a clock that never jumps; the system's where none is given. */
  readonly monotonic?: () => number;
  /** How far behind the process is; the system's answer where none is given. */
  readonly gauge?: Gauge;
  /** From 0 to 1. */
  readonly random?: () => number;
  /** Instead of those that the settings give, so that a test need not wait for them. */
  readonly limits?: Partial<Limits>;
  readonly log: Log;
}
