import assert from 'node:assert/strict';
import test from 'node:test';
import { productionSbom } from '../release/sbom.ts';
import { read, root } from './helpers/pages.ts';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

type Lock = Readonly<Record<string, Locked>>;

const { packages: lock } = JSON.parse(read('package-lock.json')) as { packages: Lock };

test('every package of the lock file is pinned by a hash, and none names where it comes from', () => {
  assert.ok(Object.keys(lock).length > 100);
  assert.deepEqual(faultsOf(lock), []);
});

test('faults planted in the lock file are seen', () => {
  const name = 'node_modules/fastify';
  const { integrity: _, ...unpinned } = lock[name] ?? {};
  const planted: readonly Locked[] = [
    unpinned,
    { ...unpinned, integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' },
    { ...lock[name], resolved: 'https://registry.example/fastify/-/fastify-5.0.0.tgz' },
    { ...lock[name], resolved: 'git+ssh://git@host.example/fastify.git#main' },
  ];
  for (const entry of planted) assert.deepEqual(faultsOf({ ...lock, [name]: entry }), [name]);
});

test('nothing that goes into production runs a script when it is installed', () => {
  const production = Object.entries(lock).filter(isProduction);
  assert.ok(production.length > 50);
  assert.deepEqual(
    production.filter(([, { hasInstallScript }]) => hasInstallScript),
    [],
  );
});

test('the bill of materials of a release has every package of a production install, and no other', () => {
  const sbom = JSON.parse(productionSbom(root)) as {
    bomFormat: string;
    metadata: { component: { name: string; version: string } };
    components: { name: string; version: string; hashes?: unknown[] }[];
  };
  const { version } = JSON.parse(read('package.json')) as { version: string };
  assert.equal(sbom.bomFormat, 'CycloneDX');
  assert.deepEqual([sbom.metadata.component.name, sbom.metadata.component.version], ['plinth', version]);
  for (const { name, hashes = [] } of sbom.components) assert.ok(hashes.length > 0, name);
  assert.deepEqual(
    [...new Set(sbom.components.map(component => `${component.name}@${component.version}`))].sort(),
    [...new Set(Object.entries(lock).filter(isProduction).map(nameOf))].sort(),
  );
});

/** The entries that an install would not check, or that lead past the registry of whoever installs. */
function faultsOf(entries: Lock): string[] {
  return Object.entries(entries)
    .filter(([path]) => path.includes('node_modules/'))
    .filter(([, { link, integrity = '', resolved }]) =>
      link ? !/^test\//.test(resolved ?? '') : !/^sha512-\S{88}$/.test(integrity) || resolved !== undefined,
    )
    .map(([path]) => path);
}

function isProduction([path, { dev, link }]: readonly [string, Locked]): boolean {
  return path.includes('node_modules/') && !dev && !link;
}

function nameOf([path, { version }]: readonly [string, Locked]): string {
  return `${path.split('node_modules/').at(-1)}@${version}`;
}
