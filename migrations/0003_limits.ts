import type { MigrationContext } from '../src/database/migrations.ts';

/** What is counted against limits, and which sources an account was logged in to from. */
export async function up({ createTable, schema, types }: MigrationContext): Promise<void> {
  await createTable('limits')
    .addColumn('key', types.text, column => column.primaryKey())
    .addColumn('account', types.text)
    .addColumn('times', types.text, column => column.notNull())
    .addColumn('strikes', types.integer, column => column.notNull())
    .addColumn('expires_at', types.time, column => column.notNull())
    .execute();
  await schema.createIndex('limits_account').on('limits').column('account').execute();
  await schema.createIndex('limits_expires_at').on('limits').column('expires_at').execute();
}
