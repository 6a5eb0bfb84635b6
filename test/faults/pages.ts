export interface State {
  readonly name: string | null;
  /** Undefined before the registration. */
  readonly password: string | undefined;
  /** The access tokens of the sessions that live. */
  readonly sessions: readonly string[];
}

/** What was so after a write. */
export interface Page extends State {
  /** When it was asked for and when it was acknowledged, on the clock of `performance`; never: infinite. */
  readonly asked: number;
  readonly answered: number;
}

export interface Kept {
  readonly finding: string | undefined;
  /** Acknowledged writes that are gone. */
  readonly lost: number;
  /** When the last write that is there was asked for, and the first that is gone was acknowledged. */
  readonly lastAsked: number;
  readonly firstLost: number;
}

/** Whether no write is there that was asked for after one was acknowledged that is gone. */
export function isPrefix(kept: readonly Kept[]): boolean {
  return (
    Math.max(...kept.map(({ lastAsked }) => lastAsked)) <= Math.min(...kept.map(({ firstLost }) => firstLost))
  );
}

export const nothingKept: Kept = { finding: undefined, lost: 0, lastAsked: 0, firstLost: Infinity };

/** By the page on which all of it was so; undefined where it never was. */
export function whatIsKept(pages: readonly Page[], state: State): Kept | undefined {
  const is = JSON.stringify(state);
  const at = pages.findIndex(
    ({ name, password, sessions }) => JSON.stringify({ name, password, sessions }) === is,
  );
  if (at < 0) return undefined;
  return {
    finding: undefined,
    lost: pages.slice(at + 1).filter(({ answered }) => answered < Infinity).length,
    lastAsked: pages[at]?.asked ?? 0,
    firstLost: pages[at + 1]?.answered ?? Infinity,
  };
}
