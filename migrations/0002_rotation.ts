import type { MigrationContext } from '../src/database/migrations.ts';

/** What the rotation of refresh tokens and of signing keys has to remember, and how sessions that are over are found. */
export async function up({ schema, types }: MigrationContext): Promise<void> {
  await schema.alterTable('sessions').addColumn('previous_refresh_hash', types.text).execute();
  await schema.alterTable('sessions').addColumn('refresh_nonce', types.text).execute();
  await schema.alterTable('sessions').addColumn('refreshed_at', types.time).execute();
  await schema
    .createIndex('sessions_refresh_expires_at')
    .on('sessions')
    .column('refresh_expires_at')
    .execute();

  await schema.alterTable('signing_keys').addColumn('signs_from_at', types.time).execute();
  await schema.alterTable('signing_keys').addColumn('retired_at', types.time).execute();
  await schema.alterTable('signing_keys').addColumn('verifies_until_at', types.time).execute();
}
