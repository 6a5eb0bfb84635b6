import { Problem } from '../errors.ts';

const maxDepth = 20;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * JSON (RFC 8259) from bytes, read so that every reader of the same bytes sees the same thing: well-formed UTF-8, no
 * repeated member name, no `__proto__`, at most 20 levels. Throws `malformed_request`.
 */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new Problem('malformed_request', 'The body is not UTF-8.', { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Problem('malformed_request', 'The body is not JSON.', { cause });
  }
  checkStructure(text);
  return value;
}

/** Walks over the tokens of a text that is known to be JSON: `JSON.parse` keeps the last of two equal names silently. */
function checkStructure(text: string): void {
  const names: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{' || char === '[') {
      if (names.push(char === '{' ? new Set() : undefined) > maxDepth) {
        throw new Problem('malformed_request', `The body is nested deeper than ${maxDepth} levels.`);
      }
    } else if (char === '}' || char === ']') {
      names.pop();
    } else if (char === '"') {
      const end = endOfString(text, at);
      if (isName(text, end + 1)) noteName(names.at(-1), JSON.parse(text.slice(at, end + 1)) as string);
      at = end;
    }
  }
}

function endOfString(text: string, start: number): number {
  let end = start + 1;
  while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end;
}

function isName(text: string, after: number): boolean {
  let at = after;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at++;
  return text[at] === ':';
}

function noteName(names: Set<string> | undefined, name: string): void {
  if (name === '__proto__') throw new Problem('malformed_request', 'The body has a member named __proto__.');
  if (names?.has(name)) throw new Problem('malformed_request', 'The body has a repeated member name.');
  names?.add(name);
}
