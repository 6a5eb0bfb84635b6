import { randomBytes } from 'node:crypto';
import { closeSync, fchownSync, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolders } from './create.ts';

/**
 * A file that is made beside its place, and gets there whole and durable or not at all. Only its owner can read it: who
 * makes it, but where that is root, whoever has what is there, or the folder.
 */
export class Draft implements Disposable {
  readonly path: string;
  readonly #place: string;

  constructor(place: string) {
    this.#place = place;
    this.path = `${place}.${process.pid}-${randomBytes(4).toString('hex')}.partial`;
    const fd = openSync(this.path, 'wx', 0o600);
    try {
      if (process.geteuid?.() === 0) giveToOwner(fd, place);
    } catch (error) {
      rmSync(this.path);
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** To its place, for when nobody has it open. Throws `EEXIST` where something is there already. */
  publish(): void {
    this.#sync();
    linkSync(this.path, this.#place);
    rmSync(this.path);
    syncFolders(dirname(this.#place), dirname(this.#place));
  }

  /** To its place, where it takes that of what is there, in one step. */
  replace(): void {
    this.#sync();
    renameSync(this.path, this.#place);
    syncFolders(dirname(this.#place), dirname(this.#place));
  }

  /** Nothing is left of it but what was published. */
  [Symbol.dispose](): void {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(this.path + suffix, { force: true });
  }

  #sync(): void {
    const fd = openSync(this.path, 'r+');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** By the open file: its name may be somebody else's by now. */
function giveToOwner(fd: number, place: string): void {
  const { uid, gid } = statSync(place, { throwIfNoEntry: false }) ?? statSync(dirname(place));
  fchownSync(fd, uid, gid);
}
