import type { Client, Person, RequestOptions } from '../helpers/client.ts';
import { logIn, refresh, sessionOf, type Tokens } from '../helpers/nodes.ts';

/** Somebody who is logged in twice: `here`, and elsewhere. */
export interface Visitor {
  readonly client: Client;
  readonly person: Person;
  readonly here: Tokens;
  readonly elsewhere: Tokens;
}

export interface Scenario {
  readonly title: string;
  /** What it is answered with where nothing fails. */
  readonly status: number;
  /** Makes ready whatever else is needed, and says what to ask. */
  readonly ask: (visitor: Visitor) => Promise<RequestOptions & { readonly path?: string }>;
}

const password = 'another good passphrase';

/** At least one for every route that the router knows. */
export const scenarios: Readonly<Record<string, readonly Scenario[]>> = {
  'POST /users': [
    one('a registration', 201, ({ person }) => ({ json: { email: `new.${person.email}`, password } })),
    one('an address that is taken', 409, ({ person }) => ({ json: { email: person.email, password } })),
  ],
  'POST /login': [
    one('the right password', 200, ({ person }) => ({
      json: { email: person.email, password: person.password },
    })),
    one('a wrong password', 401, ({ person }) => ({ json: { email: person.email, password } })),
    one('nobody', 401, () => ({ json: { email: 'nobody@example.com', password } })),
  ],
  'POST /refresh': [
    one('the current token', 200, ({ here }) => ({ json: { refresh_token: here.refresh_token } })),
    {
      title: 'the one before it',
      status: 200,
      ask: async ({ client, here }) => {
        await refresh(client, here.refresh_token);
        return { json: { refresh_token: here.refresh_token } };
      },
    },
    {
      title: 'one that has had its time',
      status: 401,
      ask: async ({ client, here }) => {
        const { body } = await refresh(client, here.refresh_token);
        await refresh(client, body.refresh_token);
        return { json: { refresh_token: here.refresh_token } };
      },
    },
  ],
  'POST /logout': [asked('a logout', 204)],
  'GET /me': [asked('who I am', 200)],
  'PATCH /me': [asked('a name', 200, () => ({ json: { name: 'Ada' } }))],
  'POST /me/deletion': [
    asked('the right password', 204, ({ person }) => ({ json: { password: person.password } })),
    asked('a wrong password', 401, () => ({ json: { password } })),
  ],
  'PUT /me/password': [
    asked('the right password', 204, ({ person }) => ({
      json: { current_password: person.password, new_password: password },
    })),
    asked('a wrong password', 401, () => ({ json: { current_password: password, new_password: password } })),
  ],
  'GET /me/sessions': [asked('the list', 200)],
  'DELETE /me/sessions': [asked('all others', 204)],
  'DELETE /me/sessions/:id': [
    asked('one of mine', 204, ({ elsewhere }) => ({ path: `/me/sessions/${sessionOf(elsewhere)}` })),
    asked('one that is not there', 404, () => ({
      path: '/me/sessions/019aa8e2-5b7c-7d31-9c1e-2f6a4b8d0e17',
    })),
  ],
  'GET /health': [one('health', 200)],
  'GET /health/live': [one('liveness', 200)],
  'GET /health/ready': [one('readiness', 200)],
  'GET /.well-known/jwks.json': [one('the keys', 200)],
  'GET /openapi.json': [one('the document', 200)],
  'GET /docs': [one('the page', 200)],
  'GET /docs/page.css': [one('its style', 200)],
  'GET /docs/page.js': [one('its program', 200)],
  'GET /docs/icon.svg': [one('its icon', 200)],
  'GET /docs/swagger-ui.css': [one('the style of Swagger UI', 200)],
  'GET /docs/swagger-ui.js': [one('Swagger UI', 200)],
};

type Ask = (visitor: Visitor) => RequestOptions & { readonly path?: string };

function one(title: string, status: number, ask: Ask = () => ({})): Scenario {
  return { title, status, ask: async visitor => ask(visitor) };
}

/** The same with the token of the visitor. */
function asked(title: string, status: number, ask: Ask = () => ({})): Scenario {
  return one(title, status, visitor => ({ token: visitor.here.access_token, ...ask(visitor) }));
}

export async function visit(client: Client): Promise<Visitor> {
  const person = await client.register();
  return { client, person, here: await logIn(client, person), elsewhere: await logIn(client, person) };
}
