import Type from 'typebox';
import type { Fault } from '../errors.ts';
import { withRules } from '../http/validation.ts';
import { closed, Id, Time } from '../schemas.ts';
import { emailFaults } from './email.ts';
import {
  maxPasswordLength,
  type PasswordPolicy,
  passwordFaults,
  passwordFormFaults,
} from './password-policy.ts';

const Email = Type.String({ maxLength: 254, examples: ['ada@example.com'] });
const Name = Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Null()], {
  description: 'What the person wants to be called; null when they did not say',
  examples: ['Ada Lovelace'],
});

export const UserBody = Type.Object(
  { id: Id, email: Email, name: Name, created_at: Time, updated_at: Time },
  { ...closed, $id: 'User', description: 'A person with an account' },
);

/** A function of the policy, so that the document says the very limits that are enforced. */
export function registration(policy: PasswordPolicy) {
  const body = Type.Object(
    {
      email: Email,
      password: Type.String({
        minLength: policy.minLength,
        maxLength: maxPasswordLength,
        description:
          'Counted in code points after NFC. Refused where it is one of the most used or made of the email address',
        examples: ['correct horse battery'],
      }),
      name: Type.Optional(Name),
    },
    { ...closed, $id: 'Registration' },
  );
  return withRules(body, {
    email: emailFaults,
    password: (value, { email }) => passwordFaults(policy, value, email),
    name: nameFaults,
  });
}

export const Profile = withRules(Type.Object({ name: Name }, { ...closed, $id: 'Profile' }), {
  name: nameFaults,
});

export const Deletion = withRules(
  Type.Object(
    { password: Type.String({ description: 'Once more, to be sure', examples: ['correct horse battery'] }) },
    { ...closed, $id: 'Deletion' },
  ),
  { password: value => passwordFormFaults(value) },
);

/** A name ends up in mails, pages and terminals: no line ends and no escape sequences. */
function nameFaults(name: string): Fault[] {
  return name.isWellFormed() && !/\p{Cc}/u.test(name)
    ? []
    : [{ pointer: '/name', code: 'invalid_name', detail: 'has to be text without control characters' }];
}
