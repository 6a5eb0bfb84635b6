/**
 * Makes blocklist.txt anew, from lists of one password a line:
 *
 *   node src/users/make-blocklist.ts RANKED WHOLE > src/users/blocklist.txt
 *
 * Of RANKED, most used first, the first 100,000 that can be chosen at all are taken; of WHOLE, every one.
 * blocklist.md says which two files made the list as it stands.
 */
import { readFileSync } from 'node:fs';
import { fold } from './blocklist.ts';

/** The lowest minimum length that can be set, in code points: shorter passwords are refused by length. */
const SHORTEST = 8;

/** @param limit how many distinct entries to take of `ranked` */
export function composeBlocklist(ranked: string[], whole: string[], limit = 100_000): Buffer {
  const entries = new Set(distinct(ranked).slice(0, limit)).union(new Set(distinct(whole)));
  const lines = [...entries].map(entry => Buffer.from(`${entry}\n`)).sort(compareEntries);
  return Buffer.concat(lines);
}

function distinct(passwords: string[]): string[] {
  return [...new Set(passwords.map(fold))].filter(password => [...password].length >= SHORTEST);
}

/** Bytewise, without the line feed: it would sort after a control character that follows in a longer entry. */
function compareEntries(a: Buffer, b: Buffer): number {
  return Buffer.compare(a.subarray(0, -1), b.subarray(0, -1));
}

if (import.meta.main) {
  const [ranked, whole] = process.argv.slice(2).map(file => readFileSync(file, 'utf8').split(/\r?\n/));
  if (!ranked || !whole) throw new Error('Usage: node src/users/make-blocklist.ts RANKED WHOLE');
  process.stdout.write(composeBlocklist(ranked, whole));
}
