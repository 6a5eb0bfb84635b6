import fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { events } from './events.ts';

/** Where lines go, and how they are got out at the end. */
export interface LogOutput {
  readonly stream: { write(line: string): void };
  /** Resolves when what is buffered has been written, or cannot be. */
  flush(): Promise<void> | undefined;
}

/**
 * JSON lines to a file descriptor, in blocks of 16 KiB or every 100 ms, whichever comes first: handing over every line
 * would cost more than the request that it tells of. What is left at the end of the process goes out with it.
 *
 * A full disk or a reader that pauses stops nothing: lines are kept up to a limit, then lost, and when writing works
 * again a line says how many. Half of the room is for warnings and errors alone: who floods the service with requests
 * cannot hide by their lines what it says of them. `events.ts` bounds the warnings that they can bring about at will, so
 * that it takes more than ten seconds without a reader until these have filled it.
 *
 * `shared`: other processes write to it too. What is written at once is whole lines then, and no more of them than a pipe
 * takes as a whole.
 */
export function bufferedOutput(fd: number, shared = false): LogOutput {
  let lines = '';
  let lost = 0;
  /** Taken from `lines` and not written yet. */
  let block: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  /** Whether there is a block to write. */
  function take(): boolean {
    if (block.length > 0) return true;
    if (lost > 0) lines += lostLines(lost);
    const length = shared ? lengthOfSome(lines) : lines.length;
    block = Buffer.from(lines.slice(0, length));
    lines = lines.slice(length);
    lost = 0;
    return block.length > 0;
  }

  function begin(): void {
    clearTimeout(timer);
    timer = undefined;
    writing ??= writeBlocks().finally(() => {
      writing = undefined;
      if (block.length > 0) timer ??= setTimeout(begin, interval).unref();
    });
  }

  /** Ends with a block left over where it cannot be written now. */
  async function writeBlocks(): Promise<void> {
    while (take()) {
      const written = await write(fd, block);
      if (written === 0) return;
      block = block.subarray(written);
    }
  }

  /** What waits, at once. A block that is being written goes out by itself. */
  function writeNow(): void {
    const giveUp = performance.now() + lastPatience;
    while (!writing && take()) {
      const written = writeSync(fd, block, giveUp);
      if (written === 0) return;
      block = block.subarray(written);
    }
  }

  process.once('exit', writeNow);
  return {
    stream: {
      write(line) {
        const length = lines.length + line.length;
        if (length <= mostWaiting / 2 || (length <= mostWaiting && isWarning(line))) lines += line;
        else lost++;
        if (lines.length >= blockLength) begin();
        else timer ??= setTimeout(begin, interval).unref();
      },
    },
    async flush() {
      begin();
      await Promise.race([writing, pause(lastPatience, undefined, { ref: false })]);
      writeNow();
    },
  };
}

/** Characters. */
const blockLength = 16_384;
/** Linux's PIPE_BUF, in bytes; no line has other characters than ASCII in any number. */
const pipeBlock = 4096;
/** Characters that wait while nothing can be written. */
const mostWaiting = 2 ** 20;
/** Milliseconds. */
const interval = 100;
/** Milliseconds for a reader that pauses, at the end of the process. */
const lastPatience = 1000;

/** Of as many of the first lines as are not torn by other writers, but of one at least. */
function lengthOfSome(lines: string): number {
  if (lines.length <= pipeBlock) return lines.length;
  return lines.lastIndexOf('\n', pipeBlock - 1) + 1 || lines.indexOf('\n') + 1 || lines.length;
}

/** Or worse. Every line begins with its level: 30 is `info`, 40 `warn`. */
function isWarning(line: string): boolean {
  return line.startsWith('{"level":') && Number(line.slice(9, 11)) >= 40;
}

function lostLines(count: number): string {
  const time = new Date().toISOString();
  const [, msg] = events.log_lines_lost;
  return `${JSON.stringify({ level: 40, time, event: 'log_lines_lost', lost: count, msg })}\n`;
}

/** How many bytes were written; none where that is not possible now. */
function write(fd: number, block: Buffer): Promise<number> {
  return new Promise(resolve => {
    fs.write(fd, block, (error, written) => resolve(error ? 0 : written));
  });
}

function writeSync(fd: number, block: Buffer, giveUp: number): number {
  for (;;) {
    try {
      return fs.writeSync(fd, block);
    } catch (error) {
      const paused = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      if (!paused || performance.now() > giveUp) return 0;
    }
  }
}
