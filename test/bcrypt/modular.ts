import type { BcryptEngine } from '../../src/bcrypt/index.ts';

const BCRYPT = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const USUAL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const translate = (text: string, from: string, to: string) =>
  text.replace(/[^=]/g, character => to.charAt(from.indexOf(character)));

export function encode(bytes: Uint8Array): string {
  return translate(Buffer.from(bytes).toString('base64').replaceAll('=', ''), USUAL, BCRYPT);
}

/** What a hash string says of the work that made it. */
export function parse(hash: string) {
  const [, version = '', cost = '', rest = ''] = hash.split('$');
  const salt = new Uint8Array(Buffer.from(translate(rest.slice(0, 22), BCRYPT, USUAL), 'base64'));
  return { version, cost: Number(cost), salt, digest: rest.slice(22) };
}

/** The hash string that the engine's digest stands for, with the salt, cost and version of another one. */
export async function rehash(engine: Pick<BcryptEngine, 'digest'>, password: Uint8Array, hash: string) {
  const { cost, salt } = parse(hash);
  return hash.slice(0, 29) + encode(await engine.digest({ password, salt, cost }));
}
