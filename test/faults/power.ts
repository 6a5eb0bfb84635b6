import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Experiment, Observed, Plan } from './experiment.ts';

export const power: Experiment = {
  name: 'power',
  shows:
    'loss of power at random moments, from what a real process asked of the kernel: nothing acknowledged is lost',
  unable: ({ database }) => {
    if (database !== undefined) return 'it is about SQLite';
    return spawnSync('strace', ['-V']).status === 0 ? undefined : 'it needs strace';
  },
  run: async (_, plan) => {
    const crashes = plan.rounds ?? (plan.scale === 'full' ? 300 : 20);
    const traces = [
      traced('trace-power-loss.ts', [crashes, plan.seed]),
      traced('trace-sync.ts', []),
      traced('trace-sync.ts', ['alone']),
    ];
    return {
      findings: traces.flatMap(({ findings }) => findings),
      figures: Object.assign({}, ...traces.map(({ figures }) => figures)),
    };
  },
  // The trace has its control in itself, a disk that ignores every sync: without a loss it fails.
  control: async (_, plan: Plan) => {
    const { findings, figures } = traced('trace-power-loss.ts', [5, plan.seed]);
    const caught = Object.keys(figures).filter(line => line.includes('control'));
    return { findings: findings.length > 0 ? [] : caught, figures: {} };
  },
};

/** Runs one of the traces; what it says is its figures. */
function traced(file: string, words: readonly (number | string)[]): Observed {
  const path = fileURLToPath(new URL(`../database/sqlite/${file}`, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...words.map(String)], {
    encoding: 'utf8',
    timeout: 240_000,
  });
  const lines = stdout
    .trim()
    .split('\n')
    .filter(line => !line.startsWith(' '));
  return {
    findings: status === 0 ? [] : [`${file} ended with ${status}: ${stderr.trim().split('\n')[0]}`],
    figures: Object.fromEntries(lines.map(line => [line, ''])),
  };
}
