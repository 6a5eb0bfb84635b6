import { createHook } from 'node:async_hooks';
import type { TestContext } from 'node:test';

/** What Node makes when this process turns to another: to connect, to send a datagram, to ask for a name, to start a program. */
const outward = new Set([
  'TCPCONNECTWRAP',
  'PIPECONNECTWRAP',
  'UDPSENDWRAP',
  'GETADDRINFOREQWRAP',
  'GETNAMEINFOREQWRAP',
  'QUERYWRAP',
  'PROCESSWRAP',
]);

/**
 * From now on everything that this process does towards another is noted, by the kind of its handle, below whatever library did
 * it. A client in this process counts too: use `inject`, which needs no socket.
 */
export function trapOutbound(t: TestContext): string[] {
  const seen: string[] = [];
  const hook = createHook({
    init: (_, type) => {
      if (outward.has(type)) seen.push(type);
    },
  }).enable();
  t.after(() => hook.disable());
  return seen;
}
