import type { FastifyInstance } from 'fastify';
import { guardRoutes } from './auth/guard.ts';
import { openKeyring } from './auth/keyring.ts';
import { ensureKey } from './auth/keys.ts';
import { createLogin } from './auth/login.ts';
import { createPasswordChange } from './auth/password-change.ts';
import { createRefresh } from './auth/refresh.ts';
import { authRoutes } from './auth/routes.ts';
import { Jwks, SessionList, Tokens } from './auth/schemas.ts';
import { sessionRoutes } from './auth/session-routes.ts';
import { createSessions } from './auth/sessions.ts';
import { createTokenPairs } from './auth/token-pairs.ts';
import { createAccessTokens } from './auth/tokens.ts';
import { startUpkeep } from './auth/upkeep.ts';
import { type BcryptEngine, EngineClosed, EngineFailed, Overloaded } from './bcrypt/engine.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { type Database, DatabaseUnavailable } from './database.ts';
import { docsRoutes } from './docs.ts';
import { type Problem, unavailable } from './errors.ts';
import { recordIn } from './events.ts';
import { systemGauge } from './gauge.ts';
import { healthRoutes } from './health.ts';
import { boundRequests } from './http/bounds.ts';
import { allowOrigins } from './http/cors.ts';
import { drainOnClose } from './http/drain.ts';
import { setHeaders } from './http/headers.ts';
import { shedLoad } from './http/importance.ts';
import { readBodies } from './http/media-types.ts';
import { requireDeclaredAccess } from './http/policy.ts';
import { answerProblems } from './http/problems.ts';
import { recordEvents } from './http/request-events.ts';
import { logRequests } from './http/request-log.ts';
import { createSources, knowSources } from './http/source.ts';
import { validatorCompiler } from './http/validation.ts';
import { createAttempts } from './limits/attempts.ts';
import { createLimiter } from './limits/limiter.ts';
import type { Log } from './log.ts';
import { describeRoutes } from './openapi.ts';
import { type Gauge, Shedder } from './overload.ts';
import { bodyLimit, createServer, fixedLimits, type Limits } from './server.ts';
import { createAccounts } from './users/accounts.ts';
import { loadBlocklist } from './users/blocklist.ts';
import { createPasswords } from './users/passwords.ts';
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

/** Builds the service; `listen` starts it. Closing it closes neither the database nor the hashing engine. */
export async function buildApp(world: World): Promise<FastifyInstance> {
  const { config, database, vault, clock, log } = world;
  const record = recordIn(log);
  const limits: Limits = {
    ...fixedLimits,
    connections: config.maxConnections,
    keepAliveTimeout: config.keepAliveTimeout * 1000,
    ...world.limits,
  };
  const sourceOf = createSources(config.trustedProxies);
  const app = createServer({ log, record, sourceOf, limits });

  // What holds for every route that follows. The log goes first, because what refuses a request keeps others from it.
  knowSources(app, sourceOf);
  logRequests(app, log);
  recordEvents(app, record);
  app.setValidatorCompiler(validatorCompiler);
  setHeaders(app);
  boundRequests(app, bodyLimit);
  if (config.corsOrigins.length > 0) await allowOrigins(app, config.corsOrigins);
  requireDeclaredAccess(app);
  answerProblems(app, translate);
  readBodies(app);
  await describeRoutes(app, world.version);

  const monotonic = world.monotonic ?? (() => performance.now());
  const gauge = world.gauge ?? systemGauge(config.memoryLimit * 1024 ** 2);
  app.addHook('onClose', () => gauge.stop());
  const { pseudonym } = vault;
  const limiter = createLimiter({ database, clock });
  const passwords = createPasswords({
    database,
    hasher: createPasswordHasher({
      engine: world.engine,
      cost: config.bcryptCost,
      onUnusable: () => record('password_hash_unusable'),
    }),
    attempts: createAttempts({
      database,
      limiter,
      clock,
      pseudonym,
      perAccount: config.loginLimitAccount,
      perSource: config.loginLimitSource,
    }),
    limiter,
    pseudonym,
    newPasswords: config.newPasswordLimit,
  });
  const policy = { minLength: config.passwordMinLength, blocklist: loadBlocklist() };
  await ensureKey(database, vault, clock());
  const keyring = await openKeyring({
    db: database.db,
    vault,
    clock,
    monotonic,
    onChange: keys => record('signing_keys_changed', { keys }),
    onFailure: cause => record('signing_keys_unreadable', { err: cause }),
  });
  const { accessTokenTtl: ttl, issuer, audience } = config;
  const tokens = createAccessTokens({ keyring, clock, issuer, audience, ttl });
  const issue = createTokenPairs(tokens, clock);
  const sessions = createSessions({ database, clock, settings: config });
  const upkeep = startUpkeep({
    database,
    clock,
    onFailure: cause => record('upkeep_failed', { err: cause }),
  });
  app.addHook('onClose', () => upkeep.stop());

  // The features.
  guardRoutes(app, { db: database.db, tokens, clock, noteUse: upkeep.noteUse });
  shedLoad(
    app,
    new Shedder({
      gauge,
      maxDelay: config.eventLoopMaxDelay,
      monotonic,
      random: world.random ?? Math.random,
      onStart: strain => record('shedding_started', { ...strain }),
      onEnd: shed => record('shedding_ended', { shed }),
    }),
  );
  for (const schema of [UserBody, Tokens, Jwks, SessionList]) app.addSchema(schema);
  userRoutes(app, { accounts: createAccounts({ database, passwords, clock }), policy });
  authRoutes(app, {
    login: createLogin({ database, passwords, sessions, issue }),
    refresh: createRefresh({ database, sessions, issue, clock }),
    keyring,
  });
  sessionRoutes(app, {
    sessions,
    changePassword: createPasswordChange({ database, passwords, policy, clock }),
    policy,
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
