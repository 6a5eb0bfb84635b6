import { randomFrom } from '../database/support.ts';
import type { Plan } from './experiment.ts';
import { Person } from './person.ts';
import type { Node } from './service.ts';

/** People of this run alone, also on a database that others have used; what they do comes from the seed. */
export function crowd({ seed }: Plan, size: number): Person[] {
  return Array.from(
    { length: size },
    (_, n) =>
      new Person(`person${n}.${seed}.${process.pid}@example.com`, `10.0.0.${n}`, randomFrom(seed * 1000 + n)),
  );
}

/** What all of them saw acknowledged. */
export function acknowledgedBy(people: readonly Person[]): number {
  return people.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
}

/** Milliseconds in which a service has to be ready again after a crash. */
export const readyWithin = 2000;

export function startsOf(nodes: readonly Node[]) {
  const starts = nodes.flatMap(node => node.starts).sort((a, b) => a - b);
  const median = starts[starts.length >> 1] ?? 0;
  return {
    median,
    figures: {
      'ready, median ms': Math.round(median),
      'ready, slowest ms': Math.round(starts.at(-1) ?? 0),
      [`starts over ${readyWithin} ms`]: starts.filter(time => time > readyWithin).length,
    },
  };
}
