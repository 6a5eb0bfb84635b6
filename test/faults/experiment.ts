import type { Scope } from '../helpers/scope.ts';

/** What is done to the service on purpose, and what has to be seen. One file each; `run.ts` lists them. */
export interface Experiment {
  readonly name: string;
  /** In one line, what a run without findings shows. */
  readonly shows: string;
  /** Why it cannot be done on this machine; undefined where it can. */
  readonly unable?: (plan: Plan) => string | undefined;
  readonly run: (scope: Scope, plan: Plan) => Promise<Observed>;
  /** The same on a variant that is broken on purpose: without findings, the experiment could not have seen the fault. */
  readonly control: (scope: Scope, plan: Plan) => Promise<Observed>;
}

export interface Plan {
  /** Everything that is left to chance comes from here. */
  readonly seed: number;
  readonly scale: 'short' | 'full';
  /** How often the fault is made; each experiment has a number of its own. */
  readonly rounds: number | undefined;
  /** `postgres:…`; undefined: SQLite, in a folder of its own. */
  readonly database: string | undefined;
}

export interface Observed {
  /** What must not be, one line each. */
  readonly findings: readonly string[];
  readonly figures: Readonly<Record<string, number | string>>;
}
