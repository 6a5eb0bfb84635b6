import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inflate } from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

/** The npm package brings Chromium for this one system. */
export const browserRuns = process.platform === 'linux' && process.arch === 'x64';

/**
 * A headless Chromium from npm, with the libraries and the one font (Open Sans) that come with it, so that a page looks
 * the same on every machine. All that it writes goes into one folder, which goes with the test.
 */
export async function startBrowser(t: TestContext): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-browser-'));
  const outer = process.env['TMPDIR'];
  let browser: Browser | undefined;
  t.after(async () => {
    await browser?.close();
    if (outer === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = outer;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  // Both packages write where `os.tmpdir()` says.
  process.env['TMPDIR'] = folder;
  const packed = new URL('../bin/', import.meta.resolve('@sparticuz/chromium'));
  const [executablePath = ''] = await Promise.all(
    ['chromium.br', 'al2023.tar.br', 'fonts.tar.br'].map(name => inflate(fileURLToPath(new URL(name, packed)))),
  );
  const fonts = join(folder, 'fonts.conf');
  writeFileSync(
    fonts,
    `<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/font-cache</cachedir></fontconfig>`,
  );
  browser = await chromium.launch({
    executablePath,
    // No sandbox: tests run as root in containers too, and the only page is ours.
    args: ['--no-sandbox', '--no-zygote', '--disable-gpu', '--font-render-hinting=none'],
    env: {
      HOME: folder,
      TMPDIR: folder,
      FONTCONFIG_FILE: fonts,
      LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
    },
  });
  return browser;
}
