import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { parseAllDocuments, visit } from 'yaml';
import { ConfigFaults, readConfig } from '../src/config.ts';
import { startApp } from './helpers/app.ts';

const files = ['compose.yaml', 'deploy/kubernetes.yaml'];
const root = new URL('../', import.meta.url);

test('every setting that the deployments give is one, and has a value that is allowed', () => {
  for (const file of files) {
    const given = settingsIn(file);
    assert.ok(given.size >= 3, `${file} gives ${given.size}`);
    const known = knownSettings();
    for (const name of given.keys()) assert.ok(known.has(name), `${file} gives ${name}, which is no setting`);
    // What a secret or an environment gives is not in the file.
    const written = [...given].filter(([, value]) => !/^$|\$\{/.test(value));
    assert.doesNotThrow(() => readConfig(Object.fromEntries(written)), file);
  }
});

test('a name that is no setting, and a value that is not allowed, would be seen', () => {
  assert.ok(!knownSettings().has('DRAIN_DELAYS'));
  assert.throws(() => readConfig({ DRAIN_DELAY: '10s' }), ConfigFaults);
});

test('what Kubernetes adds to the settings of a pod, about each Service, is none of them', () => {
  const documents = documentsOf('deploy/kubernetes.yaml').map(plain);
  const services = documents.filter(({ kind }) => kind === 'Service').map(({ metadata }) => metadata.name);
  // https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
  const added = services.flatMap(name =>
    ['SERVICE_HOST', 'SERVICE_PORT', 'PORT'].map(end => `${envName(name)}_${end}`),
  );
  const faulty = Object.fromEntries(added.map(name => [name, 'tcp://10.0.0.1:80']));
  assert.throws(() => readConfig(faulty), ConfigFaults);
  const pods = documents.map(({ spec }) => spec.template?.spec).filter(pod => pod !== undefined);
  assert.equal(pods.length, 2);
  for (const pod of pods) assert.equal(pod.enableServiceLinks, false);
});

test('what they look at is there', async t => {
  const app = await startApp(t);
  const probes = [...read('deploy/kubernetes.yaml').matchAll(/path: (\/\S+),/g)].map(([, path = '']) => path);
  const [, checked = ''] = /httpchk GET (\S+)/.exec(read('deploy/haproxy.cfg')) ?? [];
  assert.deepEqual(new Set([...probes, checked]), new Set(['/health/live', '/health/ready']));
  for (const path of [...probes, checked]) assert.equal((await app.get(path)).status, 200, path);
  for (const [, file = ''] of read('compose.yaml').matchAll(/- (\.\/[^:]+):/g))
    assert.ok(existsSync(new URL(file, root)), file);
});

test('they wait for a node that stops for as long as it may take', () => {
  const kubernetes = Number(/terminationGracePeriodSeconds: (\d+)/.exec(read('deploy/kubernetes.yaml'))?.[1]);
  const drain = Number(settingsIn('deploy/kubernetes.yaml').get('DRAIN_DELAY'));
  assert.ok(kubernetes >= drain + 30, `${kubernetes} s after a drain of ${drain} s`);
  const compose = [...read('compose.yaml').matchAll(/stop_grace_period: (\d+)s/g)].map(([, s]) => Number(s));
  assert.ok(Math.min(...compose) >= readConfig({}).drainDelay + 30);
});

/** Names and values, of every container that runs the service. */
function settingsIn(file: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const document of documentsOf(file)) {
    visit(document, {
      Pair(_, { key, value }) {
        const name = String(key);
        if (name === 'env') for (const one of plain(value)) found.set(one.name, one.value ?? '');
        else if (name === 'environment')
          for (const [setting, text] of Object.entries(plain(value))) found.set(setting, String(text));
      },
    });
  }
  // PostgreSQL's own.
  for (const name of found.keys()) if (name.startsWith('POSTGRES_')) found.delete(name);
  return found;
}

function documentsOf(file: string) {
  const documents = [...parseAllDocuments(read(file), { merge: true })];
  for (const { errors } of documents) assert.deepEqual(errors, []);
  return documents;
}

function envName(service: string): string {
  return service.toUpperCase().replaceAll('-', '_');
}

// biome-ignore lint/suspicious/noExplicitAny: YAML has no types.
function plain(value: unknown): any {
  return JSON.parse(JSON.stringify(value));
}

/** The names that are asked for. */
function knownSettings(): Set<string> {
  const asked = new Set<string>();
  readConfig(
    new Proxy<Record<string, string | undefined>>(
      {},
      {
        get(_, name) {
          asked.add(String(name));
          return undefined;
        },
      },
    ),
  );
  return asked;
}

function read(file: string): string {
  return readFileSync(new URL(file, root), 'utf8');
}
