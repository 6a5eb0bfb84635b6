import { clock } from './clock.ts';
import { contention } from './contention.ts';
import { damage } from './damage.ts';
import { databaseCrash } from './database-crash.ts';
import { diskFull } from './disk-full.ts';
import type { Experiment } from './experiment.ts';
import { failover } from './failover.ts';
import { kill } from './kill.ts';
import { lostAnswers } from './lost-answers.ts';
import { nodes } from './nodes.ts';
import { power } from './power.ts';
import { unreliable } from './unreliable.ts';

export const experiments: readonly Experiment[] = [
  kill,
  power,
  diskFull,
  damage,
  clock,
  contention,
  lostAnswers,
  unreliable,
  nodes,
  databaseCrash,
  failover,
];
