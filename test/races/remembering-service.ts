/** A service that is broken on purpose: it remembers what it has once read of a session, and its signing keys for good. */
import { serveWith } from '../faults/variant.ts';
import { remembering } from './remembering.ts';

await serveWith(remembering, {}, { monotonic: () => 0 });
