import { readFileSync } from 'node:fs';

/** The most used passwords. Which they are, and their licence: blocklist.md. */
export interface Blocklist {
  /** Whether the password is on the list, in any letter case and in any Unicode form. */
  has(password: string): boolean;
}

export function loadBlocklist(): Blocklist {
  return parseBlocklist(readFileSync(new URL('./blocklist.txt', import.meta.url)));
}

/**
 * Looks passwords up in the bytes of the file, which are all that is kept in memory.
 * @param lines folded entries in UTF-8, sorted bytewise, each ended by a line feed
 * @throws where the file is cut short or its line ends were converted: it would refuse nothing, silently
 */
export function parseBlocklist(lines: Buffer): Blocklist {
  if (lines.at(-1) !== LINE_FEED || lines.includes(CARRIAGE_RETURN)) {
    throw new Error('The password blocklist is damaged: every line must end in a line feed alone.');
  }
  return { has: password => hasLine(lines, Buffer.from(fold(password))) };
}

/** The form in which passwords are listed and compared. */
export function fold(password: string): string {
  // Composed last: lower-casing can leave a pair that has a composed form (J with caron has none, j has).
  return password.toLowerCase().normalize('NFC');
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Binary search. `low` and `high` always stand at the start of a line or at the end of the file. */
function hasLine(lines: Buffer, wanted: Buffer): boolean {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    let start = middle;
    while (start > low && lines[start - 1] !== LINE_FEED) start--;
    const end = lines.indexOf(LINE_FEED, middle);
    const order = lines.compare(wanted, 0, wanted.length, start, end);
    if (order === 0) return true;
    if (order < 0) low = end + 1;
    else high = start;
  }
  return false;
}
