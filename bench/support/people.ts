/** Registers so many people and logs each in; their access tokens. The addresses have one length, so answers have too. */
export async function registerPeople(port: number, count: number, prefix = 'person'): Promise<string[]> {
  const tokens: string[] = [];
  for (let number = 0; number < count; number++) {
    const email = `${prefix}${String(number).padStart(5, '0')}@example.com`;
    const password = `a very good passphrase ${number}`;
    await post(port, '/users', { email, password, name: 'Ada Lovelace' }, 201);
    tokens.push((await post(port, '/login', { email, password }, 200)).access_token);
  }
  return tokens;
}

async function post(
  port: number,
  path: string,
  body: Readonly<Record<string, string>>,
  expected: number,
): Promise<{ access_token: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.status !== expected) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as { access_token: string };
}
