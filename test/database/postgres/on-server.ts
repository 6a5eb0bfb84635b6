import pg from 'pg';
import { user } from '../support.ts';

/** For what the interface does not offer: statements on a connection of their own. */
export async function onServer(url: string, text: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** A person who was there before. */
export const person = `insert into users values ('${user('x').id}', 'x@example.com', 'x@example.com', null, 'x', now(), now())`;
