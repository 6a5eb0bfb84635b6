import Type from 'typebox';
import { withRules } from '../http/validation.ts';
import { closed, Id, Time } from '../schemas.ts';
import {
  maxPasswordLength,
  type PasswordPolicy,
  passwordFaults,
  passwordFormFaults,
} from '../users/password-policy.ts';

const Password = Type.String({
  description: 'Compared as NFC; never trimmed',
  examples: ['correct horse battery'],
});
const Email = Type.String({ maxLength: 254, examples: ['ada@example.com'] });

export const Login = withRules(
  Type.Object({ email: Email, password: Password }, { ...closed, $id: 'Login' }),
  {
    password: value => passwordFormFaults(value),
  },
);

/** The form of OAuth 2.0's password grant (RFC 6749, section 4.3.2), for clients that know nothing else. */
export const LoginForm = withRules(
  Type.Object(
    {
      username: Email,
      password: Password,
      grant_type: Type.Optional(Type.Literal('password')),
      scope: Type.Optional(Type.String({ description: 'Ignored' })),
      client_id: Type.Optional(Type.String({ description: 'Ignored' })),
      client_secret: Type.Optional(Type.String({ description: 'Ignored' })),
    },
    { ...closed, $id: 'LoginForm' },
  ),
  { password: value => passwordFormFaults(value) },
);

export const Tokens = Type.Object(
  {
    access_token: Type.String({
      description: 'A JWT, for Authorization: Bearer',
      examples: ['eyJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJwbGludGgifQ.c2lnbmF0dXJl'],
    }),
    token_type: Type.Literal('bearer'),
    expires_in: Type.Integer({ description: 'Seconds', examples: [900] }),
    refresh_token: Type.String({
      description: 'Opaque',
      examples: ['Q2nV0yWm7tJc4XlB9sKd1uQ0mJ5k9sXwq1c7b2Tn4Zr8vYp3Hd6LfGa0EoMiBxCk'],
    }),
    refresh_expires_in: Type.Integer({ description: 'Seconds without use', examples: [1_209_600] }),
  },
  { ...closed, $id: 'Tokens', description: 'A session: what proves it, and what renews it' },
);

/** No rule but its type: what is not a token of ours is an invalid token, however it looks. */
export const Refresh = Type.Object(
  {
    refresh_token: Type.String({
      description: 'The last one that was given for this session',
      examples: ['Q2nV0yWm7tJc4XlB9sKd1uQ0mJ5k9sXwq1c7b2Tn4Zr8vYp3Hd6LfGa0EoMiBxCk'],
    }),
  },
  { ...closed, $id: 'Refresh' },
);

/** A function of the policy, as registration is. What the new password may not be made of is checked with the person. */
export function passwordChange(policy: PasswordPolicy) {
  return withRules(
    Type.Object(
      {
        current_password: Password,
        new_password: Type.String({
          minLength: policy.minLength,
          maxLength: maxPasswordLength,
          examples: ['a horse that staples'],
        }),
      },
      { ...closed, $id: 'PasswordChange' },
    ),
    {
      current_password: value => passwordFormFaults(value, '/current_password'),
      new_password: value => passwordFaults(policy, value, undefined, '/new_password'),
    },
  );
}

export const SessionList = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        {
          id: Id,
          created_at: Time,
          last_used_at: Time,
          expires_at: Time,
          user_agent: Type.Union([Type.String({ examples: ['Firefox on Windows'] }), Type.Null()]),
          ip: Type.Union([Type.String({ examples: ['203.0.113.7'] }), Type.Null()]),
          current: Type.Boolean({ description: 'Whether it is the one that asks', examples: [true] }),
        },
        closed,
      ),
    ),
  },
  { ...closed, $id: 'SessionList', description: 'Live sessions, the last used first' },
);

export const SessionId = Type.Object({ id: Id }, closed);

/** RFC 7517, as far as ES256 needs it. */
export const Jwks = Type.Object(
  {
    keys: Type.Array(
      Type.Object(
        {
          kty: Type.Literal('EC'),
          crv: Type.Literal('P-256'),
          x: Type.String({ examples: ['53pw4cCPFOcJvtbH6L7Ggin8ndpMOF_5-9QmSyHxg2M'] }),
          y: Type.String({ examples: ['pj1KETmkJA10j6SHCg8xXDHp01cmFbOz9LKHTzsg5zw'] }),
          kid: Type.String({ examples: ['9j-mYOK1temmylta-QA2jhrbjDUjd7uDihKE_5zVp4w'] }),
          alg: Type.Literal('ES256'),
          use: Type.Literal('sig'),
        },
        closed,
      ),
    ),
  },
  { ...closed, $id: 'Jwks', description: 'The keys that verify access tokens (RFC 7517)' },
);
