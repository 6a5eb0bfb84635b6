import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Routes } from './routes.ts';

/** Where a request came from. None of it is the caller's own choice. */
export interface Source {
  /** In its one canonical form; null when the connection was gone before anybody asked. */
  readonly address: string | null;
  /** What counts as one source: an IPv4 address, or the /64 of an IPv6 address, as `2001:db8:0:1::/64`. */
  readonly network: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    source: Source;
  }
}

/** Where a request that comes over this connection, with these headers, comes from. */
export type SourceOf = (raw: Pick<IncomingMessage, 'socket' | 'headers'>) => Source;

/**
 * `trusted`: addresses or CIDRs of proxies, whose `X-Forwarded-For` counts: the rightmost address in it that is none of
 * theirs, and the proxy's own where that is no address. `Forwarded` and every other header count for nothing.
 */
export function createSources(trusted: readonly string[]): SourceOf {
  const isTrusted = matcher(trusted);
  return raw => {
    const peer = canonical(raw.socket.remoteAddress ?? '');
    if (peer === undefined) return { address: null, network: 'unknown' };
    const address = isTrusted(peer) ? forwardedAddress(peer, raw, isTrusted) : peer;
    return { address, network: networkOf(address) };
  };
}

/** Gives every request its `source`, at once: when its body is there, its connection may be gone. */
export function knowSources(app: Routes, sourceOf: SourceOf): void {
  app.decorateRequest('source');
  app.addHook('onRequest', (request, _reply, done) => {
    request.source = sourceOf(request.raw);
    done();
  });
}

function forwardedAddress(
  peer: string,
  { headers }: Pick<IncomingMessage, 'headers'>,
  isTrusted: (address: string) => boolean,
): string {
  let address = peer;
  // Node joins several of these headers in their order.
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  while (isTrusted(address)) {
    const next = canonical(withoutPort(forwarded.pop()?.trim() ?? ''));
    if (next === undefined) break;
    address = next;
  }
  return address;
}

/** Some proxies write the port too: `192.0.2.1:443`, `[2001:db8::1]:443`. */
function withoutPort(text: string): string {
  const [, bracketed, plain] = /^\[(.+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(text) ?? [];
  return bracketed ?? plain ?? text;
}

/** IPv6 as RFC 5952 writes it, without a zone; IPv4 also where it was written as IPv6. Undefined for anything else. */
function canonical(text: string): string | undefined {
  const [address = ''] = text.split('%');
  const version = isIP(address);
  if (version !== 6) return version === 4 ? address : undefined;
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high = '', low = ''] = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(short) ?? [];
  if (high === '') return short;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}

/** Of a canonical address. */
function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('::');
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : []);
  const [first, last] = [groups(head), groups(tail)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`;
}

/** One list for each version: an IPv6 network is not to match an IPv4 address by its form as IPv6. */
function matcher(networks: readonly string[]): (address: string) => boolean {
  const lists = { 4: new BlockList(), 6: new BlockList() };
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const [list, type, bits] =
      isIP(address) === 4 ? ([lists[4], 'ipv4', 32] as const) : ([lists[6], 'ipv6', 128] as const);
    list.addSubnet(address, Number(prefix ?? bits), type);
  }
  return address => {
    const version = isIP(address);
    if (version === 4) return lists[4].check(address, 'ipv4');
    return version === 6 && lists[6].check(address, 'ipv6');
  };
}
