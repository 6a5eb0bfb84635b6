/**
 * Power loss with checkpoints and with the log starting anew, from what a real process asked of the kernel:
 * `node test/database/sqlite/trace-power-loss.ts [crashes] [seed]`. `strace` records every write and sync of the database and its log; at
 * random moments the disk then holds what a finished sync covered and, of later writes, any sectors. Each such disk is
 * opened: everything acknowledged is there and the file is sound. The control ignores every
 * `fdatasync` and has to lose something. Not part of the suite: `strace` is not everywhere.
 */
import { spawnSync } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openDatabase } from '../../../src/database.ts';
import { names, randomFrom } from '../support.ts';
import { directly } from './support.ts';

type End = '' | '-wal';
type Event =
  | { kind: 'write'; end: End; at: number; bytes: Buffer }
  | { kind: 'truncate'; end: End; length: number }
  | { kind: 'sync begins' | 'sync ends'; end: End; thread: string; call: string }
  | { kind: 'acknowledged'; name: string };

const crashes = Number(process.argv[2] ?? 60);
const seed = Number(process.argv[3] ?? 1);
const folder = mkdtempSync(join(tmpdir(), 'plinth-power-'));
try {
  const events = await record();
  const count = (kind: Event['kind'], end: End) =>
    events.filter(event => event.kind === kind && 'end' in event && event.end === end).length;
  const restarts = events.filter(e => e.kind === 'write' && e.end === '-wal' && e.at === 0).length;
  process.stdout.write(
    `${events.length} events: ${count('write', '-wal')} writes and ${count('sync ends', '-wal')} syncs of the log, ` +
      `${count('write', '')} writes and ${count('sync ends', '')} syncs of the database, the log begun ${restarts} times\n`,
  );
  if (restarts < 3) throw new Error('the log has to start anew for this to show anything');
  const honest = await crash(events, () => true);
  const control = await crash(events, call => call !== 'fdatasync');
  process.stdout.write(
    `${crashes} crashes: ${honest.lost} acknowledged lost, ${honest.damaged} files damaged\n`,
  );
  process.stdout.write(
    `control, every fdatasync ignored: ${control.lost} lost, ${control.damaged} files damaged\n`,
  );
  if (honest.lost + honest.damaged > 0) throw new Error('power loss loses something');
  if (control.lost + control.damaged === 0) throw new Error('the control loses nothing');
} finally {
  rmSync(folder, { recursive: true });
}

async function record(): Promise<Event[]> {
  const path = join(folder, 'plinth.db');
  const script = `
    import { writeSync } from 'node:fs';
    import { openDatabase } from '${new URL('../../../src/database.ts', import.meta.url)}';
    import { user } from '${new URL('../support.ts', import.meta.url)}';
    const database = await openDatabase('sqlite:${path}');
    await Promise.all(Array.from({ length: 8 }, async (_, me) => {
      for (let n = 0; n < 100; n++) {
        const row = { ...user(me + '-' + n), name: 'x'.repeat(16_000) };
        await database.transaction(tx => tx.insertInto('users').values(row).execute());
        writeSync(1, 'acknowledged ' + me + '-' + n + '.');
      }
    }));
    process.kill(process.pid, 'SIGKILL');`;
  const trace = join(folder, 'trace');
  const calls = 'trace=write,pwrite64,fdatasync,fsync,ftruncate';
  const node = [process.execPath, '--input-type=module-typescript', '-e', script];
  const { error } = spawnSync('strace', [
    '-f',
    '-y',
    '-xx',
    '-s',
    '70000',
    '-e',
    calls,
    '-o',
    trace,
    ...node,
  ]);
  if (error) throw error;
  const events: Event[] = [];
  const running = new Map<string, { end: End; call: string }>();
  for await (const line of createInterface({ input: createReadStream(trace) })) {
    const event = parsed(line, running);
    if (event) events.push(...event);
  }
  return events;
}

/** Lines of `strace -f -y -xx`; a call that others interrupt has two of them. */
function parsed(line: string, running: Map<string, { end: End; call: string }>): Event[] | undefined {
  const [thread = ''] = line.split(' ', 1);
  const resumed = running.get(thread);
  if (resumed && / resumed>/.test(line)) {
    running.delete(thread);
    return [{ kind: 'sync ends', thread, ...resumed }];
  }
  const [, call = '', file = '', rest = ''] = /^\d+\s+(\w+)\(\d+<([^>]*)>(.*)/.exec(line) ?? [];
  const name = decoded(file).toString();
  if (call === 'write') {
    const [, acknowledged] = /^acknowledged (.*)\.$/.exec(decoded(rest.split('"')[1] ?? '').toString()) ?? [];
    return acknowledged === undefined ? undefined : [{ kind: 'acknowledged', name: acknowledged }];
  }
  const end = name.endsWith('plinth.db') ? '' : name.endsWith('plinth.db-wal') ? '-wal' : undefined;
  if (end === undefined) return undefined;
  if (call === 'pwrite64') {
    const [, text = '', arguments_ = ''] = rest.split('"');
    return [{ kind: 'write', end, at: Number(/^, \d+, (\d+)/.exec(arguments_)?.[1]), bytes: decoded(text) }];
  }
  if (call === 'ftruncate') return [{ kind: 'truncate', end, length: Number(/^, (\d+)/.exec(rest)?.[1]) }];
  const begins = { kind: 'sync begins', end, thread, call } as const;
  if (!line.includes('<unfinished')) return [begins, { ...begins, kind: 'sync ends' }];
  running.set(thread, { end, call });
  return [begins];
}

function decoded(text: string): Buffer {
  return /^(\\x..)*$/.test(text) ? Buffer.from(text.replaceAll('\\x', ''), 'hex') : Buffer.from(text);
}

async function crash(events: readonly Event[], counts: (call: string) => boolean) {
  const random = randomFrom(seed);
  const first = events.findIndex(({ kind }) => kind === 'acknowledged');
  const moments = Array.from(
    { length: crashes },
    () => first + Math.floor(random() * (events.length - first)),
  );
  const result = { lost: 0, damaged: 0 };
  for (const moment of moments) {
    const path = join(folder, `${moment}-${result.lost}`, 'plinth.db');
    mkdirSync(join(path, '..'), { recursive: true });
    const kept = random();
    for (const end of ['', '-wal'] as const)
      writeFileSync(
        path + end,
        disk(events, moment, end, counts, () => random() < kept),
      );
    const told = events
      .slice(0, moment)
      .flatMap(event => (event.kind === 'acknowledged' ? [event.name] : []));
    try {
      const database = await openDatabase(`sqlite:${path}`);
      const found = new Set(await names(database));
      await database.close();
      const [sound] = directly(path, raw => raw.prepare('pragma integrity_check').all());
      if (Object.values(sound ?? {})[0] !== 'ok') result.damaged++;
      result.lost += told.filter(name => !found.has(name)).length;
    } catch {
      result.damaged++;
    }
    rmSync(join(path, '..'), { recursive: true });
  }
  return result;
}

/** A file as the disk may hold it: all that a finished sync covered, and of the rest whatever sectors `survives` says. */
function disk(
  events: readonly Event[],
  moment: number,
  end: End,
  counts: (call: string) => boolean,
  survives: () => boolean,
) {
  let covered = -1;
  const begun = new Map<string, number>();
  for (const [index, event] of events.slice(0, moment).entries()) {
    if (!('thread' in event) || event.end !== end || !counts(event.call)) continue;
    if (event.kind === 'sync begins') begun.set(event.thread, index);
    else covered = Math.max(covered, begun.get(event.thread) ?? -1);
  }
  let image = Buffer.alloc(64 * 2 ** 20);
  let length = 0;
  for (const [index, event] of events.slice(0, moment).entries()) {
    if (!('end' in event) || event.end !== end) continue;
    if (event.kind === 'truncate' && (index < covered || survives())) {
      image = Buffer.concat([image.subarray(0, event.length), Buffer.alloc(image.length - event.length)]);
      length = event.length;
    }
    if (event.kind !== 'write') continue;
    for (let from = 0; from < event.bytes.length; ) {
      const size = Math.min(512 - ((event.at + from) % 512), event.bytes.length - from);
      if (index < covered || survives()) {
        event.bytes.copy(image, event.at + from, from, from + size);
        length = Math.max(length, event.at + from + size);
      }
      from += size;
    }
  }
  return image.subarray(0, length);
}
