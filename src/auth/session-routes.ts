import { departure } from '../http/departure.ts';
import { json, noContent, type Routes } from '../http/routes.ts';
import { ref } from '../schemas.ts';
import type { PasswordPolicy } from '../users/password-policy.ts';
import type { ChangePassword } from './password-change.ts';
import { passwordChange, SessionId, SessionList } from './schemas.ts';
import type { Sessions } from './sessions.ts';
import { describeUserAgent } from './user-agents.ts';

interface SessionRoutes {
  readonly sessions: Sessions;
  readonly changePassword: ChangePassword;
  readonly policy: PasswordPolicy;
}

/** What a person does with sessions that they have. */
export function sessionRoutes(app: Routes, { sessions, changePassword, policy }: SessionRoutes): void {
  app.post(
    '/logout',
    {
      config: { access: 'token' },
      schema: {
        operationId: 'logout',
        summary: 'End this session',
        description: 'On every node at once. Again is no error.',
        tags: ['sessions'],
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { claims } = request;
      if (claims && (await sessions.logout(claims.sub, claims.sid)))
        request.record('session_ended', { ended: claims.sid });
      return reply.code(204).send(undefined);
    },
  );

  app.get(
    '/me/sessions',
    {
      config: { access: 'session' },
      schema: {
        operationId: 'listSessions',
        summary: 'Where I am logged in',
        tags: ['sessions'],
        response: { 200: ref(SessionList) },
      },
    },
    async ({ user, session }) => {
      const list = await sessions.list(user.id);
      const items = list.map(async ({ user_agent, ...view }) => ({
        ...view,
        user_agent: await describeUserAgent(user_agent),
        current: view.id === session.id,
      }));
      return { items: await Promise.all(items) };
    },
  );

  app.delete(
    '/me/sessions',
    {
      config: { access: 'session' },
      schema: {
        operationId: 'endOtherSessions',
        summary: 'End every session but this one',
        tags: ['sessions'],
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const count = await sessions.endOthers(request.user.id, request.session.id);
      request.record('other_sessions_ended', { count });
      return reply.code(204).send(undefined);
    },
  );

  app.delete(
    '/me/sessions/:id',
    {
      config: { access: 'session', problems: ['not_found'] },
      schema: {
        operationId: 'endSession',
        summary: 'End one of my sessions',
        tags: ['sessions'],
        params: SessionId,
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      await sessions.end(request.user.id, request.params.id);
      request.record('session_ended', { ended: request.params.id });
      return reply.code(204).send(undefined);
    },
  );

  app.put(
    '/me/password',
    {
      config: { access: 'session', problems: ['invalid_credentials', 'too_many_requests', 'overloaded'] },
      schema: {
        operationId: 'changePassword',
        summary: 'Change my password',
        description: 'Every other session ends.',
        tags: ['sessions'],
        body: json(passwordChange(policy)),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { user, session, caller, body } = request;
      await changePassword(
        {
          user,
          sessionId: session.id,
          caller,
          current: body.current_password,
          next: body.new_password,
        },
        departure(reply),
      );
      request.record('password_changed');
      return reply.code(204).send(undefined);
    },
  );
}
