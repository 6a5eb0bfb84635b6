import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { startApp, type TestApp } from './helpers/app.ts';
import { browserRuns, startBrowser } from './helpers/browser.ts';
import { temporaryFolder } from './helpers/folder.ts';

const files = ['page.css', 'page.js', 'icon.svg', 'swagger-ui.css', 'swagger-ui.js'];

test('the page and its files are served by name, with a policy, and are not sent twice', async t => {
  const app = await startApp(t);
  const page = await app.get('/docs');
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);

  const named = [...page.text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, url]) => url);
  assert.deepEqual(named.sort(), [...files.map(file => `/docs/${file}`), '/openapi.json'].sort());
  for (const path of ['/docs', '/openapi.json', ...files.map(file => `/docs/${file}`)]) {
    const { status, headers } = await app.get(path);
    assert.equal(status, 200, path);
    assert.equal(headers.get('cache-control'), 'no-cache', path);
    const isLarge = Number(headers.get('content-length')) > 65_536;
    assert.equal(headers.get('connection'), isLarge ? 'close' : 'keep-alive', path);
    const again = await app.get(path, { headers: { 'if-none-match': `W/${headers.get('etag')}` } });
    assert.deepEqual([again.status, again.text], [304, ''], path);
    assert.equal((await app.get(path, { headers: { 'if-none-match': '"other"' } })).status, 200, path);
  }
  for (const path of [
    '/docs/',
    '/docs/page.html',
    '/docs/package.json',
    '/docs/..%2fdocs.ts',
    '/docs/%2e%2e/docs.ts',
  ]) {
    assert.equal((await app.get(path)).status, 404, path);
  }
});

const ada = { email: 'ada@example.com', password: 'correct horse battery' };
const hardToRead = readFileSync(new URL('./helpers/hard-to-read.js', import.meta.url), 'utf8');
const skip = browserRuns ? false : 'there is no Chromium in npm for this system';

test('a browser shows the page and tries the service out', { skip }, async t => {
  const browser = await startBrowser(t);
  const app = await startApp(t);

  await t.test('register, authorize with email and password, who am I', async () => {
    const { page, complaints } = await openDocs(browser, app);
    assert.equal(await page.title(), 'Plinth');
    assert.match(await tryOut(page, 'register'), /"email": "ada@example.com"/);
    await page.click('.auth-wrapper .authorize');
    await page.fill('#oauth_username', ada.email);
    await page.fill('#oauth_password', ada.password);
    assert.deepEqual(await page.locator('.auth-container label:visible').allTextContents(), [
      'username:',
      'password:',
      'Value:',
    ]);
    await page.click('.auth-container:has(#oauth_password) .authorize');
    await page.locator('.auth-container', { hasText: 'Authorized' }).waitFor();
    await page.click('.close-modal');
    assert.match(await tryOut(page, 'getMe'), /"email": "ada@example.com"/);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  await t.test('a token will do as well, and is forgotten with the page', async () => {
    const { page, complaints } = await openDocs(browser, app);
    await page.click('.auth-wrapper .authorize');
    await page.fill('#auth-bearer-value', await app.login(ada));
    await page.click('.auth-container:has(#auth-bearer-value) .authorize');
    await page.click('.close-modal');
    assert.match(await tryOut(page, 'getMe'), /"email": "ada@example.com"/);
    assert.deepEqual(complaints, []);
    await page.goto('about:blank');
    await page.goto('/docs');
    assert.match(await tryOut(page, 'getMe'), /"code": "unauthenticated"/);
    assert.deepEqual(complaints.length, 1, 'the 401');
    await page.close();
  });

  await t.test('nothing is cut off or hard to read, on a phone or a desk, by day or by night', async () => {
    const { page } = await openDocs(browser, app);
    const folder = temporaryFolder(t);
    const look = async (what: string): Promise<void> => {
      const pictures = new Set<string>();
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await page.locator(colorScheme === 'dark' ? 'html.dark-mode' : 'html:not(.dark-mode)').waitFor();
        await page.evaluate('Promise.allSettled(document.getAnimations().map(each => each.finished))');
        for (const width of [390, 1280]) {
          const where = `${what}-${colorScheme}-${width}`;
          await page.setViewportSize({ width, height: 844 });
          assert.deepEqual(await page.evaluate(hardToRead), [], where);
          assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, where);
          const picture = await page.screenshot({ path: join(folder, `${where}.png`) });
          pictures.add(picture.toString('base64'));
        }
      }
      assert.equal(pictures.size, 4, 'the colours make no difference');
    };
    await look('closed');
    await page.click('#scheme');
    await page.locator('html:not(.dark-mode)').waitFor();
    await page.click('#scheme');
    await page.locator('html.dark-mode').waitFor();
    await tryOut(page, 'register');
    await tryOut(page, 'getMe');
    await page.click('.models-control');
    await page.locator('.json-schema-2020-12').first().waitFor();
    await look('open');
    await page.click('.auth-wrapper .authorize');
    await look('dialog');
    await page.close();
  });
});

/** The page, and what it asks of other servers or reports to the console from now on, violations of the policy too. */
async function openDocs(browser: Browser, app: TestApp) {
  const page = await browser.newPage({ baseURL: app.url });
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('request', request => {
    const url = request.url();
    if (!url.startsWith(`${app.url}/`) && !url.startsWith('data:')) complaints.push(url);
  });
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(String(error)));
  await page.goto('/docs');
  await page.locator('.opblock').first().waitFor();
  return { page, complaints };
}

/** The answer to what is filled in by itself. */
async function tryOut(page: Page, operationId: string): Promise<string> {
  const operation = page.locator(`[id$="-${operationId}"].opblock`);
  const execute = operation.locator('.execute');
  if (!(await execute.isVisible())) await operation.locator('.opblock-summary-control').click();
  await execute.click();
  return (
    (await operation.locator('.live-responses-table .response .response-col_description').textContent()) ?? ''
  );
}
