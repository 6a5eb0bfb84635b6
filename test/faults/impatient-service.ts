/** A service that is broken on purpose: it does not wait for a file that somebody else has locked. */
import { serveWith } from './variant.ts';

let time = 0;
const monotonic = () => {
  time += 60_000;
  return time;
};
await serveWith(database => database, { monotonic });
