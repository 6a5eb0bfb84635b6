import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { serviceFolder } from './helpers/database.ts';
import { ServiceProcess } from './helpers/process.ts';

const root = new URL('../', import.meta.url);
const readme = readFileSync(new URL('README.md', root), 'utf8');

test('the walk of the README gives what it says', async t => {
  const client = await new ServiceProcess(t, await serviceFolder(t)).client();
  const steps = [...readme.matchAll(/```sh\n(curl .*?)```\n\n```json\n(.*?)```/gs)];
  assert.equal(steps.length, 5);
  let token = '';
  for (const [, command = '', shown = ''] of steps) {
    const { method, path, headers, body } = parseCurl(command.replace('$ACCESS_TOKEN', token));
    const answer = await client.request(method, path, { headers, ...(body !== undefined && { body }) });
    assert.match(answer.text, likeness(JSON.stringify(JSON.parse(shown))), command);
    token = answer.body.access_token ?? token;
  }
});

test('what the walk is compared with is not just anything', () => {
  const shown = '{"id":"01a2028d-7269-7502-84f8-fc6f3c14a6e7","token":"abc…","n":1}';
  assert.match('{"id":"01a2028d-0000-7502-84f8-fc6f3c14a6e7","token":"xyz0","n":1}', likeness(shown));
  for (const other of ['{"id":"x","token":"xyz","n":1}', shown.replace('1}', '2}'), `${shown} `, '{}'])
    assert.doesNotMatch(other, likeness(shown));
});

test('the commands of the README are there, and the files of its layout', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  const commands = [...readme.matchAll(/npm (?:run ([\w-]+)|start|test)\b/g)];
  assert.ok(commands.length > 8);
  for (const [command, name = command.slice(4)] of commands) assert.ok(name in scripts, command);

  const [, layout = ''] = /## Layout\n\n```\n(.*?)```/s.exec(readme) ?? [];
  const files = [...layout.matchAll(/^( *)(\S+) /gm)].map(([, indent, name = '']) =>
    indent ? `src/${name}` : name,
  );
  assert.ok(files.length > 15);
  for (const file of ['src/', ...files]) assert.ok(existsSync(new URL(file, root)), file);
});

interface Curl {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | undefined;
}

/** As much of curl as the README uses: it is not on every machine. */
function parseCurl(command: string): Curl {
  const words = command
    .replaceAll('\\\n', ' ')
    .matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)
    .map(([, single, double, bare]) => single ?? double ?? bare ?? '');
  const parameters = new Map<string, string>();
  let option = 'curl';
  for (const word of words) {
    if (/^-[XHd]$/.test(word)) option = word;
    else if (/^http:\/\/127\.0\.0\.1:3000\//.test(word)) parameters.set('url', word);
    else if (option !== '') {
      parameters.set(option, word);
      option = '';
    } else assert.fail(`what is ${word} of ${command}?`);
  }
  const [name, ...value] = (parameters.get('-H') ?? '').split(': ');
  return {
    method: parameters.get('-X') ?? 'GET',
    path: new URL(parameters.get('url') ?? '').pathname,
    headers: name ? { [name]: value.join(': ') } : {},
    body: parameters.get('-d'),
  };
}

/** The same text, but for ids, times and what was cut with an ellipsis. */
function likeness(shown: string): RegExp {
  const id = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
  const parts = shown.split(new RegExp(`(${id}|${time}|[\\w-]+…)`));
  const pattern = parts.map((part, index) => {
    if (index % 2 === 0) return RegExp.escape(part);
    return part.endsWith('…') ? '[\\w.-]+' : part.endsWith('Z') ? time : id;
  });
  return new RegExp(`^${pattern.join('')}$`);
}
