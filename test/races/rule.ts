import type { Event } from './history.ts';

export interface Rule {
  readonly name: string;
  /** The events that cannot go together, with what they were compared. */
  readonly broken: (history: readonly Event[]) => readonly unknown[];
}
