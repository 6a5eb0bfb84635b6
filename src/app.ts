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
import { EngineClosed, EngineFailed, Overloaded } from './bcrypt/engine.ts';
import { DatabaseUnavailable } from './database.ts';
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
import { lingerAtTheEnd } from './http/linger.ts';
import { readBodies } from './http/media-types.ts';
import { watchMethods } from './http/methods.ts';
import { requireDeclaredAccess } from './http/policy.ts';
import { answerProblems } from './http/problems.ts';
import { recordEvents } from './http/request-events.ts';
import { logRequests } from './http/request-log.ts';
import { createSources, knowSources } from './http/source.ts';
import { validatorCompiler } from './http/validation.ts';
import { describeRoutes } from './openapi.ts';
import { Shedder } from './overload.ts';
import { bodyLimit, createServer, limitsOf } from './server.ts';
import { createAccounts } from './users/accounts.ts';
import { loadBlocklist } from './users/blocklist.ts';
import { createPasswords } from './users/passwords.ts';
import { userRoutes } from './users/routes.ts';
import { UserBody } from './users/schemas.ts';
import type { World } from './world.ts';

/** Builds the service; `listen` starts it. Closing it closes neither the database nor the hashing engine. */
export async function buildApp(world: World): Promise<FastifyInstance> {
  const { config, database, engine, vault, clock, log, random = Math.random } = world;
  const { monotonic = () => performance.now(), gauge = systemGauge(config.memoryLimit) } = world;
  const record = recordIn(log);
  const limits = { ...limitsOf(config), ...world.limits };
  const sourceOf = createSources(config.trustedProxies);
  const app = createServer({ log, record, sourceOf, limits });

  lingerAtTheEnd(app, limits.lingerTimeout);

  // What holds for every route that follows. The log goes first, because what refuses a request keeps others from it.
  knowSources(app, sourceOf);
  logRequests(app, log);
  recordEvents(app, record);
  app.server.once('close', record.tellMore);
  app.setValidatorCompiler(validatorCompiler);
  setHeaders(app);
  boundRequests(app, bodyLimit);
  const { inBudget } = database;
  // Before anything asks it. Fastify has what follows from a body in the same context, though the connection brings it.
  if (inBudget) app.addHook('onRequest', (_request, _reply, done) => inBudget(done));
  const methodsAt = watchMethods(app);
  answerProblems(app, translate, methodsAt);
  if (config.corsOrigins.length > 0) await allowOrigins(app, config.corsOrigins, methodsAt);
  requireDeclaredAccess(app);
  readBodies(app, bodyLimit);
  await describeRoutes(app, world.version);

  // What the features need, and share.
  const passwords = createPasswords({
    database,
    engine,
    clock,
    monotonic,
    pseudonym: vault.pseudonym,
    settings: config,
    onUnusable: () => record('password_hash_unusable'),
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
  app.addHook('onClose', () => gauge.stop());

  // The features.
  guardRoutes(app, { db: database.db, tokens, clock, noteUse: upkeep.noteUse });
  const maxDelay = config.eventLoopMaxDelay;
  shedLoad(app, new Shedder({ gauge, maxDelay, monotonic, random, record }));
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
