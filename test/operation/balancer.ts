import { Agent, createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Milliseconds between two looks at a node: what the drain has to outlast. */
const interval = 300;

/**
 * A load balancer, as small as one can be: each request goes to the next node that said it was ready when it was last asked. It
 * sends nothing twice: what fails is a 502.
 */
export class Balancer {
  readonly #nodes = new Map<
    string,
    { ready: boolean; readonly agent: Agent; readonly timer: NodeJS.Timeout }
  >();
  readonly #server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      this.#forward(method, url, headers, Buffer.concat(chunks), outgoing);
    });
  });
  #next = 0;

  async start(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** Resolves when the node has said that it is ready. */
  async add(url: string): Promise<void> {
    const timer = setInterval(() => void this.#look(url), interval);
    this.#nodes.set(url, { ready: false, agent: new Agent({ keepAlive: true }), timer });
    while (!this.#nodes.get(url)?.ready) await this.#look(url);
  }

  remove(url: string): void {
    const node = this.#nodes.get(url);
    clearInterval(node?.timer);
    node?.agent.destroy();
    this.#nodes.delete(url);
  }

  async stop(): Promise<void> {
    for (const url of [...this.#nodes.keys()]) this.remove(url);
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }

  async #look(url: string): Promise<void> {
    const status = await fetch(`${url}/health/ready`, { headers: { connection: 'close' } })
      .then(
        // Also the body may not come, of a node that ends.
        answer => answer.arrayBuffer().then(() => answer.status),
      )
      .catch(() => 0);
    const node = this.#nodes.get(url);
    if (node) node.ready = status === 200;
  }

  #forward(method: string, path: string, headers: object, body: Buffer, outgoing: ServerResponse): void {
    const ready = [...this.#nodes].filter(([, node]) => node.ready);
    const [url, node] = ready[this.#next++ % ready.length] ?? [];
    const fail = (reason: unknown): void => void outgoing.writeHead(502).end(String(reason));
    if (url === undefined || node === undefined) {
      fail('no node is ready');
      return;
    }
    const { hostname, port } = new URL(url);
    const forwarded = request({ hostname, port, method, path, headers: { ...headers }, agent: node.agent });
    forwarded.on('error', fail);
    forwarded.on('response', answer => {
      const { connection: _, 'keep-alive': __, ...kept } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 0, kept);
      answer.pipe(outgoing);
    });
    forwarded.end(body);
  }
}
