import { after } from 'node:test';
import pg from 'pg';
import { openDatabase } from '../../../src/database.ts';
import { startPostgres } from './start.ts';

/** On the server of this run, that which `TEST_DATABASE` names, or else one that is started for this process alone. */
const address = process.env['TEST_DATABASE'] ?? '';
let server: Promise<string> | undefined;
let administrator: Promise<pg.Client> | undefined;
let template: Promise<string> | undefined;
const made: string[] = [];

/** The URL of the server's database "postgres", as the superuser. */
export function postgresUrl(): Promise<string> {
  server ??= address.startsWith('postgres:')
    ? Promise.resolve(address)
    : startPostgres().then(({ url }) => url);
  return server;
}

/** A database with nothing in it, gone after the last test of the file; its URL, as the superuser. */
export async function emptyDatabase(): Promise<string> {
  return await create('template0');
}

/** The same, with the schema of today in it. */
export async function migratedDatabase(): Promise<string> {
  template ??= makeTemplate();
  return await create(await template);
}

async function create(from: string): Promise<string> {
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`;
  await (await admin()).query(`create database ${name} template ${from} strategy file_copy`);
  made.push(name);
  return await urlOf(name);
}

/** Migrated once for all test files, by the engine itself. */
async function makeTemplate(): Promise<string> {
  const name = 'plinth_template';
  const client = await admin();
  await client.query('select pg_advisory_lock(1)');
  const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
  if (rowCount === 0) {
    await client.query(`create database ${name} template template0`);
    await (await openDatabase(await urlOf(name))).close();
  }
  await client.query('select pg_advisory_unlock(1)');
  return name;
}

async function urlOf(name: string): Promise<string> {
  const url = new URL(await postgresUrl());
  url.pathname = name;
  return url.href;
}

function admin(): Promise<pg.Client> {
  administrator ??= connect();
  return administrator;
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client(await postgresUrl());
  await client.connect();
  return client;
}

// Not forced: a connection that a test has left open keeps its database from being dropped, and so fails the file.
after(async () => {
  if (!administrator) return;
  const client = await administrator;
  for (const name of made) await client.query(`drop database ${name}`);
  await client.end();
});
