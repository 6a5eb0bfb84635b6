import type { FastifyInstance } from 'fastify';
import { guardRoutes } from './auth/guard.ts';
import { loadKeyring } from './auth/keys.ts';
import { authRoutes } from './auth/routes.ts';
import { Jwks, Tokens } from './auth/schemas.ts';
import { createSessions } from './auth/sessions.ts';
import { createAccessTokens } from './auth/tokens.ts';
import { type BcryptEngine, EngineClosed, EngineFailed, Overloaded } from './bcrypt/engine.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { type Database, DatabaseUnavailable } from './database.ts';
import { docsRoutes } from './docs.ts';
import { type Problem, unavailable } from './errors.ts';
import { healthRoutes } from './health.ts';
import { allowOrigins } from './http/cors.ts';
import { drainOnClose } from './http/drain.ts';
import { setHeaders } from './http/headers.ts';
import { readBodies } from './http/media-types.ts';
import { requireDeclaredAccess } from './http/policy.ts';
import { answerProblems } from './http/problems.ts';
import { logRequests } from './http/request-log.ts';
import { validatorCompiler } from './http/validation.ts';
import type { Log } from './log.ts';
import { describeRoutes } from './openapi.ts';
import { createServer } from './server.ts';
import { createAccounts } from './users/accounts.ts';
import { loadBlocklist } from './users/blocklist.ts';
import { userRoutes } from './users/routes.ts';
import { UserBody } from './users/schemas.ts';
import { createPasswordHasher } from './users/security.ts';
import type { Vault } from './vault.ts';

/** Everything the service touches of the world, passed in. */
export interface World {
  readonly config: Config;
  readonly version: string;
  readonly database: Database;
  readonly engine: BcryptEngine;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly log: Log;
}

/** Builds the service; `listen` starts it. Closing it closes neither the database nor the hashing engine. */
export async function buildApp(world: World): Promise<FastifyInstance> {
  const { config, database, clock, log } = world;
  const app = createServer(log, config.trustedProxies);

  // What holds for every route that follows.
  app.setValidatorCompiler(validatorCompiler);
  setHeaders(app);
  if (config.corsOrigins.length > 0) await allowOrigins(app, config.corsOrigins);
  requireDeclaredAccess(app);
  answerProblems(app, translate);
  logRequests(app, log);
  readBodies(app);
  await describeRoutes(app, world.version);

  const passwords = createPasswordHasher({
    engine: world.engine,
    cost: config.bcryptCost,
    onUnusable: () => log.error('a stored password hash cannot be used'),
  });
  const keyring = await loadKeyring(database, world.vault, clock);
  const tokens = createAccessTokens({
    keyring,
    clock,
    issuer: config.issuer,
    audience: config.audience,
    ttl: config.accessTokenTtl,
  });
  const policy = { minLength: config.passwordMinLength, blocklist: loadBlocklist() };

  // The features.
  guardRoutes(app, { db: database.db, tokens, clock });
  for (const schema of [UserBody, Tokens, Jwks]) app.addSchema(schema);
  userRoutes(app, { accounts: createAccounts({ database, passwords, clock }), policy });
  authRoutes(app, {
    keyring,
    sessions: createSessions({ database, passwords, tokens, clock, lifetimes: config }),
  });
  healthRoutes(app, { database, isDraining: drainOnClose(app) });
  docsRoutes(app);

  return app;
}

/** Errors of what the features stand on, as the outside sees them. */
function translate(error: unknown): Problem | undefined {
  if (error instanceof Overloaded) return unavailable('overloaded', error.retryAfter, error);
  if (error instanceof DatabaseUnavailable) return unavailable('unavailable', error.retryAfter, error);
  if (error instanceof EngineClosed || error instanceof EngineFailed)
    return unavailable('overloaded', 1, error);
  return undefined;
}
