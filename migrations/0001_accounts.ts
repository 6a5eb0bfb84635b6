import type { MigrationContext } from '../src/database/migrations.ts';

export async function up({ createTable, schema, types }: MigrationContext): Promise<void> {
  await createTable('users')
    .addColumn('id', types.id, column => column.primaryKey())
    .addColumn('email', types.text, column => column.notNull())
    .addColumn('email_canonical', types.text, column => column.notNull().unique())
    .addColumn('name', types.text)
    .addColumn('password_hash', types.text, column => column.notNull())
    .addColumn('created_at', types.time, column => column.notNull())
    .addColumn('updated_at', types.time, column => column.notNull())
    .execute();

  await createTable('sessions')
    .addColumn('id', types.id, column => column.primaryKey())
    .addColumn('user_id', types.id, column => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('created_at', types.time, column => column.notNull())
    .addColumn('last_used_at', types.time, column => column.notNull())
    .addColumn('expires_at', types.time, column => column.notNull())
    .addColumn('refresh_expires_at', types.time, column => column.notNull())
    .addColumn('refresh_family_hash', types.text, column => column.notNull().unique())
    .addColumn('refresh_hash', types.text, column => column.notNull())
    .addColumn('user_agent', types.text)
    .addColumn('ip', types.text)
    .execute();
  await schema.createIndex('sessions_user_id').on('sessions').column('user_id').execute();

  await createTable('signing_keys')
    .addColumn('id', types.text, column => column.primaryKey())
    .addColumn('algorithm', types.text, column => column.notNull())
    .addColumn('public_jwk', types.json, column => column.notNull())
    .addColumn('private_encrypted', types.text, column => column.notNull())
    .addColumn('created_at', types.time, column => column.notNull())
    .execute();

  await createTable('instance')
    .addColumn('name', types.text, column => column.primaryKey())
    .addColumn('value', types.text, column => column.notNull())
    .execute();
}
