import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What a production install consists of, as CycloneDX JSON, from the lock file alone. By npm, but in a folder of its own
 * that knows no development dependencies: `npm sbom --omit dev` leaves out what production and development share.
 */
export function productionSbom(root: URL): string {
  const parent = mkdtempSync(join(tmpdir(), 'plinth-sbom-'));
  try {
    // npm takes the name from the folder.
    const folder = join(parent, 'plinth');
    mkdirSync(folder);
    for (const file of ['package.json', 'package-lock.json']) {
      const content: unknown = JSON.parse(readFileSync(new URL(file, root), 'utf8'), withoutDevelopment);
      writeFileSync(join(folder, file), JSON.stringify(content));
    }
    const options = ['--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
    const text = execFileSync('npm', ['sbom', ...options], { cwd: folder, encoding: 'utf8' });
    return `${JSON.stringify(withoutRepeats(JSON.parse(text)), undefined, 2)}\n`;
  } finally {
    rmSync(parent, { recursive: true });
  }
}

/** For `JSON.parse`: the lock file marks what only development needs, and links lead to folders of the tests alone. */
function withoutDevelopment(key: string, value: unknown): unknown {
  const marks: { dev?: unknown; link?: unknown } = typeof value === 'object' && value !== null ? value : {};
  return key === 'devDependencies' || marks.dev === true || marks.link === true ? undefined : value;
}

/** npm 10 lists a package twice that is installed in two places, which CycloneDX does not allow. */
function withoutRepeats(bom: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const once = (list: unknown): unknown =>
    Array.isArray(list) ? [...new Map(list.map(item => [JSON.stringify(item), item])).values()] : list;
  return { ...bom, components: once(bom['components']), dependencies: once(bom['dependencies']) };
}

if (import.meta.main) process.stdout.write(productionSbom(new URL('../', import.meta.url)));
