import { randomFrom } from '../database/support.ts';
import { Client } from '../helpers/client.ts';
import { conformTo, type Description } from '../helpers/conformance.ts';
import { Draw, type Known, makeCase } from './cases.ts';
import { FuzzConnection, type Received } from './exchange.ts';

export interface FuzzOptions {
  readonly url: string;
  readonly seed: number;
  readonly count: number;
  readonly connections: number;
  /** Called with how many are begun. */
  readonly onProgress?: (done: number) => void;
}

export interface Fuzzed {
  /** How many answers had which status; 0: the connection was closed without one. */
  readonly statuses: Readonly<Record<string, number>>;
  /** What was wrong, with the number of the case and its bytes; the first hundred. */
  readonly faults: readonly string[];
}

/** Cases after which the person is another: this one may be gone, or logged out. */
const lifetime = 200;

/** Sends so many cases to a service. The seed and the number of a case make the case, for the same person. */
export async function fuzz({ url, seed, count, connections, onProgress }: FuzzOptions): Promise<Fuzzed> {
  const client = new Client(url);
  const document: Description = (await client.get('/openapi.json')).body;
  const conform = conformTo(document);
  const statuses: Record<string, number> = {};
  const faults: string[] = [];
  let next = 0;

  const worker = async (number: number): Promise<void> => {
    const localAddress = () => `127.0.${1 + ((next >> 8) % 250)}.${1 + (next % 250)}`;
    const connection = new FuzzConnection(Number(new URL(url).port), localAddress);
    let known: Known | undefined;
    for (let own = 0; next < count; own++) {
      const index = next++;
      onProgress?.(index);
      const draw = new Draw(randomFrom(seed * 1_000_003 + index));
      if (!known || own % lifetime === 0)
        known = await arrive(client, `p${seed}-${number}-${own}@example.com`);
      const bytes = makeCase(document, known, draw);
      const report = (fault: unknown): void => {
        if (faults.length < 100)
          faults.push(`case ${index}: ${fault}\n${JSON.stringify(bytes.toString('latin1').slice(0, 2000))}`);
      };
      const text = bytes.toString('latin1');
      const isHead = /^\s*HEAD /.test(text);
      const [, verb = '', path = ''] = /^[\r\n]*([A-Z]+) +(\S+) +HTTP\/\d\.\d\r\n/.exec(text) ?? [];
      const method = isHead ? 'HEAD' : verb;
      try {
        const { answers, rest } = await connection.send(bytes, isHead);
        if (rest !== '') report(`what came is no answer: ${rest.slice(0, 300)}`);
        const [answer] = answers;
        statuses[answer?.status ?? 0] = (statuses[answer?.status ?? 0] ?? 0) + 1;
        if (answer) check(conform, method, path, answer);
      } catch (fault) {
        report(fault);
      }
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, (_, number) => worker(number)));
  return { statuses, faults };
}

/** Whatever came before it, an answer has to be one of those that the document has. */
function check(conform: Client['onAnswer'], method: string, path: string, received: Received): void {
  const { status, headers, text } = received;
  if (status >= 500 && status !== 503) throw new Error(`a ${status}: ${text}`);
  const isJson = /json/.test(headers.get('content-type') ?? '');
  const answer = { status, headers, text, body: isJson && text !== '' ? JSON.parse(text) : undefined };
  const isBare = method === 'HEAD' && text === '';
  const asked = method === 'HEAD' && !isBare ? 'GET' : method;
  // What was refused before it had a route is described under every path, and where there is none nothing is.
  const early = [400, 404, 405, 408, 413, 431].includes(status);
  if (early && isBare) {
    if (!isJson) throw new Error('no media type of a problem');
  } else if (status === 404 || status === 405) conform(asked, '/nothing', answer);
  else if (early) conform('GET', '/openapi.json', answer);
  else
    conform(
      asked,
      path
        .replace(/^http:\/\/[^/]*(?=\/)/, '')
        .replace(/[?#].*/, '')
        .replace(/%2f/gi, '-')
        .replace(/\/$/, '/-'),
      answer,
    );
}

async function arrive(client: Client, email: string): Promise<Known> {
  const password = 'a very good passphrase';
  await client.post('/users', { email, password });
  const { body } = await client.post('/login', { email, password });
  const { body: list } = await client.get('/me/sessions', { token: body.access_token });
  return {
    email,
    password,
    access: body.access_token,
    refresh: body.refresh_token,
    session: list.items[0].id,
  };
}
