import type { Client } from '../helpers/client.ts';
import { AnswerLost, type Person } from './person.ts';

/** How often somebody asks again before giving up. */
const patience = 200;

/** One write; where its answer was lost, the person asks until it is known what became of it. */
export async function actAndAskAgain(person: Person, client: Client): Promise<void> {
  if (!(await lost(() => person.act(client)))) return;
  for (let attempt = 0; attempt < patience; attempt++) {
    if (!(await lost(() => person.check(client)))) return;
  }
  person.findings.push(`${person.email}: no answer to any of ${patience} attempts`);
}

async function lost(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (!(error instanceof AnswerLost)) throw error;
    return true;
  }
}
