import { connect, type Socket } from 'node:net';

/** One answer, as it came. */
export interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** What came of a case: answers, and what was left over that is no answer. */
export interface Outcome {
  readonly answers: readonly Received[];
  readonly rest: string;
}

/** Milliseconds after which the client says that a request was all: of one that is not complete, and of any other. */
const patience = { incomplete: 5, complete: 3000 };
/** Milliseconds after which a connection that the service does not close is given up, as a failure. */
const limit = 10_000;

/** Sends cases one after the other over a connection for as long as the service keeps it open, then over another. */
export class FuzzConnection {
  readonly #port: number;
  readonly #localAddress: () => string;
  #socket: Socket | undefined;

  /** `localAddress`: a million connections need more ports than one address has. */
  constructor(port: number, localAddress: () => string) {
    this.#port = port;
    this.#localAddress = localAddress;
  }

  async send(bytes: Buffer, isHead: boolean): Promise<Outcome> {
    // One that the service has closed since then is over without saying so again.
    const socket = this.#socket?.destroyed === false ? this.#socket : this.#open();
    this.#socket = socket;
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    let text = '';
    const settle = (done: boolean): void => {
      const outcome = readAnswers(text, isHead);
      const last = outcome.answers.at(-1);
      const isOver =
        done || (last !== undefined && outcome.rest === '' && last.headers.get('connection') !== 'close');
      if (!isOver) return;
      resolve(outcome);
    };
    const complete = isComplete(bytes);
    const timer = setTimeout(() => socket.end(), complete ? patience.complete : patience.incomplete);
    const deadline = setTimeout(() => reject(new Error('the service neither answers nor closes')), limit);
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      settle(false);
    };
    const onClose = (): void => {
      this.#socket = undefined;
      settle(true);
    };
    socket.on('data', onData).on('close', onClose);
    socket.write(bytes);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      clearTimeout(deadline);
      socket.off('data', onData).off('close', onClose);
      // What follows on the same connection would be taken for the rest of this one.
      if (!complete || text.match(/^HTTP\//gm)?.length !== 1) this.close();
    }
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', localAddress: this.#localAddress() });
    // Closed by the service while bytes were on their way; what it said before counts.
    return socket.on('error', () => undefined);
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }
}

/** Reads answers as a client would that asked with this method; all but the last may be interim. */
function readAnswers(text: string, isHead: boolean): Outcome {
  const answers: Received[] = [];
  let rest = text;
  for (;;) {
    const match = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(rest);
    if (!match) return { answers, rest };
    const [head, status = '', lines = ''] = match;
    const headers = new Headers(
      lines
        .split('\r\n')
        .filter(Boolean)
        .map(line => splitHeader(line)),
    );
    if (status.startsWith('1')) {
      rest = rest.slice(head.length);
      continue;
    }
    // The parser answers what is no request, and does not know that it was to be a HEAD.
    const length =
      (isHead && !rest.startsWith('{', head.length)) || status === '204' || status === '304'
        ? 0
        : Number(headers.get('content-length') ?? 0);
    if (rest.length < head.length + length) return { answers, rest };
    const body = Buffer.from(rest.slice(head.length, head.length + length), 'latin1').toString();
    answers.push({ status: Number(status), headers, text: body });
    rest = rest.slice(head.length + length);
  }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

/** Whether the service can see where the request ends; where it is no request at all it answers at once. */
function isComplete(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const head = text.slice(0, end + 2);
  if (/^transfer-encoding:/im.test(head))
    return /^[0-9a-f]+(;[^\r\n]*)?\r\n.*\r\n0\r\n\r\n$/is.test(text.slice(end + 4));
  const [, length = '0'] = /^content-length:[ \t]*(\d+)/im.exec(head) ?? [];
  return text.length === end + 4 + Number(length);
}
