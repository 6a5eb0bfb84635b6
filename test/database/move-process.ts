/**
 * A process to be killed: `move-process.ts FROM TO STEP` moves a database and ends by SIGKILL at the STEP-th batch of
 * rows, of those that are written and those that are read again.
 */
import { openSource, openTarget } from '../../src/commands/move.ts';
import { moveRows } from '../../src/database/move.ts';

const [from = '', to = '', step] = process.argv.slice(2);
let steps = 0;
await moveRows(await openSource(from, {}), await openTarget(to, {}), {
  onProgress: () => {
    if (++steps === Number(step)) process.kill(process.pid, 'SIGKILL');
  },
});
