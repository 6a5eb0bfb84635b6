/**
 * For `node --import`: the clocks of a program are ahead by the milliseconds that a file has at each moment. So time can
 * be turned for several processes at once, which otherwise are what they always are.
 */
import { openSync, readSync } from 'node:fs';

const file = openSync(process.env['TURNED_TIME'] ?? '', 'r');
const milliseconds = new Float64Array(1);
const sinceStart = performance.now.bind(performance);
const { now } = Date;

function ahead(): number {
  readSync(file, milliseconds, 0, 8, 0);
  return milliseconds[0] ?? 0;
}

performance.now = () => sinceStart() + ahead();
Date.now = () => now() + ahead();
globalThis.Date = new Proxy(Date, {
  construct: (target, values, kind) =>
    Reflect.construct(target, values.length > 0 ? values : [target.now()], kind),
});
