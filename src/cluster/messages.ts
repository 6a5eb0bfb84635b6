/** A worker tells its primary that it serves, and where. */
export interface Serving {
  readonly address: string;
}

/** A primary tells its workers to stop. Not by a signal: a terminal or a supervisor may have sent each its own. */
export interface Stop {
  /** Seconds for which to go on before. */
  readonly stop: number;
}

export function isServing(message: unknown): message is Serving {
  return isObject(message) && 'address' in message && typeof message.address === 'string';
}

export function isStop(message: unknown): message is Stop {
  return isObject(message) && 'stop' in message && typeof message.stop === 'number';
}

function isObject(message: unknown): message is object {
  return typeof message === 'object' && message !== null;
}
