/** Where what was started is ended: a test, or an experiment of its own. */
export interface Scope {
  readonly after: (work: () => unknown) => void;
}
