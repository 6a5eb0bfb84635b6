/** Characters. */
const maxLength = 60;

/**
 * A `User-Agent` as a person reads it: "Firefox on Windows", or the first word of one that is no browser's. Only for
 * people: it is the client's own word.
 */
export async function describeUserAgent(text: string | null): Promise<string | null> {
  if (text === null || text === '') return null;
  // Loaded when the first list is asked for.
  const { default: Bowser } = await import('bowser');
  const { browser, os } = Bowser.parse(text);
  const program = browser.name || (text.split(/[\s/]/, 1)[0] ?? '');
  return (os.name ? `${program} on ${os.name}` : program).slice(0, maxLength);
}
