/**
 * `npm run faults -- [--list] [--only NAME] [--seed N] [--scale short|full] [--rounds N] [--database postgres://…]`
 *
 * Does to the service on purpose what may happen to it, and says what was seen. Each experiment has a control, the same
 * on a variant that is broken on purpose: it has to be caught. Exit code 1 when something was found, or a control was not.
 */
import { parseArgs } from 'node:util';
import type { Experiment, Observed, Plan } from './experiment.ts';
import { experiments } from './experiments.ts';

/** Seconds for an experiment, and again for its control. */
const longest = 600;

const { values } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    scale: { type: 'string', default: 'short' },
    rounds: { type: 'string' },
    database: { type: 'string' },
  },
});
const chosen = experiments.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
const unknown = values.only.filter(name => !experiments.some(experiment => experiment.name === name));
if (unknown.length > 0) throw new Error(`there is no experiment ${unknown.join(', ')}`);
const plan: Plan = {
  seed: Number(values.seed),
  scale: values.scale === 'full' ? 'full' : 'short',
  rounds: values.rounds === undefined ? undefined : Number(values.rounds),
  database: values.database,
};

if (values.list) {
  for (const { name, shows } of experiments) say(`${name.padEnd(14)} ${shows}`);
} else {
  say(`seed ${plan.seed}, ${plan.scale} scale`);
  for (const experiment of chosen) if (!(await passes(experiment))) process.exitCode = 1;
}

async function passes(experiment: Experiment): Promise<boolean> {
  say(`\n${experiment.name}: ${experiment.shows}`);
  const reason = experiment.unable?.(plan);
  if (reason !== undefined) {
    say(`  not done here: ${reason}`);
    return true;
  }
  const seen = await observe(experiment.run);
  for (const [name, figure] of Object.entries(seen.figures)) say(`  ${name}: ${figure}`);
  for (const finding of seen.findings.slice(0, 20)) say(`  FOUND  ${finding}`);
  const control = await observe(experiment.control);
  const [caught] = control.findings;
  say(
    caught === undefined
      ? '  CONTROL NOT CAUGHT'
      : `  control: caught ${control.findings.length}, such as: ${caught}`,
  );
  return seen.findings.length === 0 && caught !== undefined;
}

/** What an experiment has started ends with it, whatever happens: also by a signal, or when it takes too long. */
async function observe(work: Experiment['run']): Promise<Observed> {
  const begun = performance.now();
  await using ending = new AsyncDisposableStack();
  const { promise: stopped, reject: stop } = Promise.withResolvers<never>();
  const timer = setTimeout(() => stop(new Error(`not done within ${longest} seconds`)), longest * 1000);
  const interrupt = (signal: string) => stop(new Error(`ended by ${signal}`));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  ending.defer(() => {
    clearTimeout(timer);
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  });
  const scope = { after: (end: () => unknown) => ending.defer(async () => void (await end())) };
  const observed = await Promise.race([work(scope, plan), stopped]);
  const seconds = Math.round((performance.now() - begun) / 100) / 10;
  return { ...observed, figures: { ...observed.figures, seconds } };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
