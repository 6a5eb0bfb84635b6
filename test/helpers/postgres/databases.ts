import { after } from 'node:test';
import pg from 'pg';
import { openDatabase } from '../../../src/database.ts';
import { startPostgres } from './start.ts';

/** `sqlite`, which it is unless said otherwise, `postgres`, or the URL of a PostgreSQL server that runs already. */
const wanted = process.env['TEST_DATABASE'] ?? 'sqlite';
/** Whether this run is about PostgreSQL. */
export const onPostgres = wanted.startsWith('postgres');

let server: Promise<string> | undefined;
let administrator: Promise<pg.Client> | undefined;
let template: Promise<string> | undefined;
const made: string[] = [];

/** The URL of the server's database "postgres", as the superuser. Starts one for this process where none was given. */
export function postgresUrl(): Promise<string> {
  server ??= wanted.startsWith('postgres:')
    ? Promise.resolve(wanted)
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

/** All rows of all tables, as text. */
export async function dump(url: string): Promise<string> {
  const client = await connect(url);
  try {
    const tables = await client.query("select tablename from pg_tables where schemaname = 'public'");
    let text = '';
    for (const { tablename } of tables.rows) {
      const { rows } = await client.query(`select t::text from "${tablename}" t`);
      text += rows.map(({ t }) => `${t}\n`).join('');
    }
    return text;
  } finally {
    await client.end();
  }
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
  // Released at the latest with the connection.
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
  administrator ??= postgresUrl().then(connect);
  return administrator;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  return client;
}

/** Scripts load this too: those that are about PostgreSQL are tests by another name, and the others are none. */
if (onPostgres || process.argv[1]?.endsWith('.test.ts')) after(dropAll);

/** A connection that a test has left open keeps its database from being dropped for five seconds, and then fails the file. */
async function dropAll(): Promise<void> {
  if (!administrator) return;
  const client = await administrator;
  try {
    for (const name of made) await client.query(`drop database ${name}`);
  } finally {
    for (const name of made) await client.query(`drop database if exists ${name} with (force)`);
    await client.end();
  }
}
