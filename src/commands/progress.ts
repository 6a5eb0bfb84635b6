/** As much as is needed of standard error. */
export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A bar for what takes a while, on a terminal; nothing where the output goes elsewhere. */
export class Progress implements Disposable {
  readonly #terminal: Terminal;
  #shown = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** What is being done, and how much of it is. */
  show(what: string, done: number, total: number): void {
    const share = total > 0 ? Math.min(done / total, 1) : 1;
    const filled = Math.floor(share * width);
    const bar = '#'.repeat(filled).padEnd(width, '.');
    this.#draw(`${what.padEnd(16)} [${bar}] ${String(Math.floor(share * 100)).padStart(3)} %`);
  }

  [Symbol.dispose](): void {
    this.#draw('');
  }

  #draw(line: string): void {
    if (!this.#terminal.isTTY || line === this.#shown) return;
    this.#terminal.write(`\r\x1b[K${line}`);
    this.#shown = line;
  }
}

const width = 40;
