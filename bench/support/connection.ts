import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A keep-alive connection for one exchange at a time, on a plain socket: the client has to cost less than the service. */
export interface Connection extends AsyncDisposable {
  /** `request`: as it goes over the wire. Rejects when the connection fails. */
  exchange(request: string): Promise<Answer>;
}

export function openConnection(port: number): Promise<Connection> {
  return new Promise((opened, failed) => {
    let answered = (_answer: Answer): void => undefined;
    let broken = failed;
    let text = '';
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1');
    socket.on('error', error => broken(error));
    socket.on('close', () => broken(new Error('the connection was closed')));
    socket.on('data', (chunk: string) => {
      text += chunk;
      const bodyAt = text.indexOf('\r\n\r\n') + 4;
      const [, length = ''] = /content-length: (\d+)/.exec(text) ?? [];
      if (bodyAt < 4 || text.length < bodyAt + Number(length)) return;
      const answer = { status: Number(text.slice(9, 12)), body: text.slice(bodyAt) };
      text = '';
      answered(answer);
    });
    socket.once('connect', () =>
      opened({
        exchange: request =>
          new Promise((resolve, reject) => {
            answered = resolve;
            broken = reject;
            socket.write(request);
          }),
        [Symbol.asyncDispose]: async () => void socket.destroy(),
      }),
    );
  });
}

/** A JSON request as a small client sends it; `from`: the address that a proxy says it has. */
export function rawPost(path: string, body: object, from?: string): string {
  const text = JSON.stringify(body);
  const forwarded = from === undefined ? '' : `x-forwarded-for: ${from}\r\n`;
  return (
    `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n${forwarded}` +
    `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  );
}
