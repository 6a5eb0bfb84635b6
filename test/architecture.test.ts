import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import test from 'node:test';

/** Files by path from `src`, with the paths that each imports. `erased`: imports of types, gone at run time. */
type Graph = ReadonlyMap<string, readonly { readonly to: string; readonly erased: boolean }[]>;

const root = new URL('../src/', import.meta.url).pathname;
/** A folder with routes is a feature, those of people who build on this included. */
const features = readdirSync(root).filter(
  name => name !== 'http' && existsSync(join(root, name, 'routes.ts')),
);
const anyFeature = `(${features.join('|')})/`;
const foundations = [
  'errors.ts',
  'config.ts',
  'clock.ts',
  'ids.ts',
  'log.ts',
  'log-output.ts',
  'vault.ts',
  'bcrypt/',
  'database/',
  'limits/',
  'http/',
];

/** Who may not import whom, and why. `from` and `to` are tried on paths from `src`. */
const rules: readonly { why: string; from: RegExp; to: RegExp; types?: boolean }[] = [
  { why: 'nobody imports the entry points', from: /./, to: /^(main|cli|confine)\.ts$/ },
  { why: 'only the entry point starts the service', from: /^(?!main\.ts)/, to: /^service\.ts$/ },
  { why: 'only the service builds the app', from: /^(?!service\.ts)/, to: /^app\.ts$/ },
  {
    why: 'only the app, commands and features import features',
    from: new RegExp(`^(?!app\\.ts|commands/|database\\.ts|${anyFeature})`),
    to: new RegExp(`^${anyFeature}`),
  },
  {
    why: 'only the app adds routes',
    from: /^(?!app\.ts)/,
    to: /(^|\/)(routes|health|docs|openapi)\.ts$(?<!http\/routes\.ts)/,
  },
  {
    why: 'models and security know no HTTP',
    from: /(models|security|sessions|accounts|tokens|keys)\.ts$/,
    to: /^http\/(?!validation)|routes\.ts$|guard\.ts$/,
  },
  { why: 'only the operator’s tool has commands', from: /^(?!cli\.ts|commands\/)/, to: /^commands\// },
  { why: 'commands know no HTTP', from: /^commands\//, to: /^http\/|guard\.ts$/ },
  { why: 'users do not know auth', from: /^users\//, to: /^auth\// },
  {
    why: 'passwords are hashed and checked within limits: through users/passwords.ts',
    from: /^(?!users\/passwords\.ts)/,
    to: /^users\/security\.ts$/,
  },
  {
    why: 'only what hashes passwords knows the hashing engine',
    from: /^(?!app\.ts|world\.ts|service\.ts|users\/(?:passwords|security)\.ts|bcrypt\/)/,
    to: /^bcrypt\//,
  },
  { why: 'bcrypt knows nothing of the rest', from: /^bcrypt\//, to: /^(?!bcrypt\/)/ },
  { why: 'engines know no tables', from: /^database\//, to: /^(?!database\/)/ },
  ...features.map(feature => ({
    why: 'what everything stands on imports no feature',
    from: new RegExp(`^(${foundations.join('|').replaceAll('.', '\\.')})`),
    to: new RegExp(`^${feature}/`),
  })),
  {
    why: 'the table map takes only types from the features',
    from: /^database\.ts$/,
    to: new RegExp(`^${anyFeature}`),
    types: true,
  },
];

test('imports point inward, and in no circle', () => {
  assert.deepEqual(violations(readGraph()), []);
});

test('planted violations are seen', () => {
  const planted: readonly (readonly [from: string, to: string, erased?: boolean])[] = [
    ['users/models.ts', 'main.ts'],
    ['health.ts', 'users/models.ts'],
    ['health.ts', 'app.ts'],
    ['service.ts', 'users/routes.ts'],
    ['users/models.ts', 'http/problems.ts'],
    ['users/security.ts', 'http/routes.ts', true],
    ['auth/keys.ts', 'commands/command.ts', true],
    ['main.ts', 'commands/keys.ts'],
    ['cli.ts', 'auth/keys.ts'],
    ['commands/keys.ts', 'http/problems.ts'],
    ['users/accounts.ts', 'auth/tokens.ts'],
    ['auth/login.ts', 'users/security.ts', true],
    ['app.ts', 'users/security.ts'],
    ['auth/login.ts', 'bcrypt/engine.ts', true],
    ['limits/limiter.ts', 'users/models.ts'],
    ['bcrypt/scheduler.ts', 'errors.ts'],
    ['errors.ts', 'users/models.ts', true],
    ['database.ts', 'auth/models.ts'],
    ['database/errors.ts', 'errors.ts'],
  ];
  for (const [from, to, erased = false] of planted) {
    assert.notDeepEqual(violations(new Map([[from, [{ to, erased }]]])), [], `${from} -> ${to}`);
  }
  const circle: Graph = new Map([
    ['a.ts', [{ to: 'b.ts', erased: false }]],
    ['b.ts', [{ to: 'c.ts', erased: false }]],
    ['c.ts', [{ to: 'a.ts', erased: false }]],
  ]);
  assert.match(String(violations(circle)), /circle/);
});

function violations(graph: Graph): string[] {
  const broken = [...graph].flatMap(([from, imports]) =>
    imports.flatMap(({ to, erased }) =>
      rules
        .filter(rule => rule.from.test(from) && rule.to.test(to) && !(rule.types && erased))
        .map(rule => `${from} -> ${to}: ${rule.why}`),
    ),
  );
  return [...broken, ...[...graph.keys()].flatMap(file => circles(graph, file, [file]))];
}

/** Circles through `start` that exist at run time; types may refer to each other. */
function circles(graph: Graph, start: string, path: readonly string[], seen = new Set<string>()): string[] {
  return (graph.get(path.at(-1) ?? '') ?? []).flatMap(({ to, erased }) => {
    if (erased) return [];
    if (to === start) return [`circle: ${[...path, to].join(' -> ')}`];
    if (seen.has(to)) return [];
    seen.add(to);
    return circles(graph, start, [...path, to], seen);
  });
}

function readGraph(): Graph {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(file =>
    /(?<!\.d)\.ts$/.test(file),
  );
  assert.ok(files.length > 30, 'where are the sources?');
  return new Map(
    files.map(file => {
      const imports = readFileSync(join(root, file), 'utf8').matchAll(
        /^(import|export)( type)? [^;]*?from '(\.[^']+)';|import\('(\.[^']+)'\)/gm,
      );
      return [
        file,
        [...imports].map(([, , type, path = '', dynamic]) => ({
          to: relative(root, join(root, dirname(file), dynamic ?? path)),
          erased: type !== undefined,
        })),
      ];
    }),
  );
}
