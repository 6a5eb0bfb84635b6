import type { DatabaseOptions, Engine } from '../engine.ts';
import { loadMigrations, migrationsFolder } from '../migrations.ts';
import { SqliteEngine } from './engine.ts';
import { failureOf } from './failures.ts';
import { openFile } from './file.ts';
import { openMemory } from './memory.ts';
import { worldWith } from './patience.ts';

/** `location`: a path or `:memory:`. */
export async function openSqlite<Tables>(
  location: string,
  options: DatabaseOptions,
): Promise<Engine<Tables>> {
  const migrations = await loadMigrations(options.migrations ?? migrationsFolder);
  const world = worldWith(options);
  try {
    const parts =
      location === ':memory:'
        ? await openMemory(migrations, world)
        : await openFile(location, migrations, world, options);
    return new SqliteEngine(parts);
  } catch (error) {
    throw failureOf(`the database ${location}`, error);
  }
}
