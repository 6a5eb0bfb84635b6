/** Two people alternating 100,000 requests; the suite does 5,000. `node --test test/soak/alternation.ts` */
import test from 'node:test';
import { alternate } from '../auth/alternation.ts';

test('two people alternating 100,000 requests get only their own', t => alternate(t, 100_000));
