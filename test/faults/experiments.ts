import { clock } from './clock.ts';
import { contention } from './contention.ts';
import { damage } from './damage.ts';
import { diskFull } from './disk-full.ts';
import type { Experiment } from './experiment.ts';
import { kill } from './kill.ts';
import { lostAnswers } from './lost-answers.ts';
import { power } from './power.ts';

export const experiments: readonly Experiment[] = [
  kill,
  power,
  diskFull,
  damage,
  clock,
  contention,
  lostAnswers,
];
