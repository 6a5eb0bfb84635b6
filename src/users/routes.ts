import { departure } from '../http/departure.ts';
import { json, noContent, type Routes } from '../http/routes.ts';
import { ref } from '../schemas.ts';
import type { Accounts } from './accounts.ts';
import type { PasswordPolicy } from './password-policy.ts';
import { Deletion, Profile, registration, UserBody } from './schemas.ts';

interface UserRoutes {
  readonly accounts: Accounts;
  readonly policy: PasswordPolicy;
}

export function userRoutes(app: Routes, { accounts, policy }: UserRoutes): void {
  app.post(
    '/users',
    {
      config: { access: 'public', problems: ['email_taken', 'too_many_requests', 'overloaded'] },
      schema: {
        operationId: 'register',
        tags: ['accounts'],
        summary: 'Register',
        body: json(registration(policy)),
        response: { 201: ref(UserBody) },
      },
    },
    async (request, reply) => {
      const user = await accounts.register(request.body, request.caller, departure(reply));
      request.record('account_created', { user_id: user.id });
      return reply.code(201).send(user);
    },
  );

  app.get(
    '/me',
    {
      config: { access: 'session' },
      schema: {
        operationId: 'getMe',
        tags: ['accounts'],
        summary: 'Who am I',
        response: { 200: ref(UserBody) },
      },
    },
    async request => request.user,
  );

  app.patch(
    '/me',
    {
      config: { access: 'session' },
      schema: {
        operationId: 'updateMe',
        tags: ['accounts'],
        summary: 'Change my name',
        body: json(Profile),
        response: { 200: ref(UserBody) },
      },
    },
    async request => {
      const user = await accounts.rename(request.user.id, request.body.name);
      request.record('account_changed', { changed: ['name'] });
      return user;
    },
  );

  app.post(
    '/me/deletion',
    {
      config: { access: 'session', problems: ['invalid_credentials', 'too_many_requests', 'overloaded'] },
      schema: {
        operationId: 'deleteMe',
        tags: ['accounts'],
        summary: 'Delete my account and all that belongs to it',
        body: json(Deletion),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { user, session, caller, body } = request;
      await accounts.remove(
        { user, sessionId: session.id, caller, password: body.password },
        departure(reply),
      );
      request.record('account_deleted');
      return reply.code(204).send(undefined);
    },
  );
}
