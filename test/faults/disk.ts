import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export type Disk = 'memory' | 'ext4';

/**
 * Starts a program in a mount namespace of its own, where the place `disk` in `folder` is a small disk that goes with the
 * program. The program runs in it and logs to a file on it.
 */
export function onSmallDisk(folder: string, kind: Disk, mebibytes: number): readonly string[] {
  const image = `dd if=/dev/zero of=image bs=1M count=${mebibytes} status=none && mkfs.ext4 -q -F image`;
  const mount = {
    memory: `mount -t tmpfs -o size=${mebibytes}m tmpfs disk`,
    ext4: `${image} && mount -o loop image disk`,
  };
  const script = `cd "$0" && mkdir disk && ${mount[kind]} && cd disk && exec "$@" >> log`;
  return [...namespace, 'sh', '-c', script, folder];
}

/** The small disk, as the program with this process id sees it. */
export function seenBy(pid: number | undefined, folder: string): string {
  return `/proc/${pid}/root${join(folder, 'disk')}`;
}

/** Why that cannot be had here; undefined where it can. */
export function noSmallDisk(kind: Disk): string | undefined {
  if (kind === 'ext4' && process.getuid?.() !== 0) return 'it needs root';
  const script =
    kind === 'memory' ? 'mount -t tmpfs tmpfs /mnt' : 'test -e /dev/loop-control && mkfs.ext4 -V';
  try {
    const [command = '', ...words] = [...namespace, 'sh', '-c', script];
    execFileSync(command, words, { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'it needs Linux, and the right to mount a disk in a namespace of its own (unshare --mount)';
  }
}

/** Root needs no user namespace, and others get the right to mount by it. */
const namespace = ['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
