import type { DatabaseOptions, Engine } from '../engine.ts';
import { DatabaseRefused } from '../errors.ts';
import { loadMigrations, migrationsFolder } from '../migrations.ts';
import { SqliteEngine } from './engine.ts';
import { refusal, translated } from './failures.ts';
import { openFile } from './file.ts';
import { openMemory } from './memory.ts';

/** `location`: a path or `:memory:`. */
export async function openSqlite<Tables>(
  location: string,
  options: DatabaseOptions,
): Promise<Engine<Tables>> {
  const migrations = await loadMigrations(options.migrations ?? migrationsFolder);
  const world = {
    now: options.now ?? (() => new Date()),
    monotonic: options.monotonic ?? (() => performance.now()),
    random: options.random ?? Math.random,
  };
  try {
    const parts =
      location === ':memory:'
        ? await openMemory(migrations, world)
        : await openFile(location, migrations, world, options);
    return new SqliteEngine(parts);
  } catch (error) {
    const reason = error instanceof DatabaseRefused ? error.message : refusal(error);
    if (reason === undefined) throw translated(error);
    throw new DatabaseRefused(`the database ${location} ${reason}`, { cause: error });
  }
}
