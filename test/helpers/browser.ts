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
 * the same on every machine. All that it writes lies in one folder, which goes with the test. Start it before the
 * service: what is started first is stopped first, and a service waits for its open connections.
 */
export async function startBrowser(t: TestContext): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-browser-'));
  let browser: Browser | undefined;
  t.after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  browser = await withTemporaryFiles(folder, async () => {
    const packed = new URL('../bin/', import.meta.resolve('@sparticuz/chromium'));
    const [executablePath = ''] = await Promise.all(
      ['chromium.br', 'al2023.tar.br', 'fonts.tar.br'].map(name =>
        inflate(fileURLToPath(new URL(name, packed))),
      ),
    );
    const fonts = join(folder, 'fonts.conf');
    writeFileSync(
      fonts,
      `<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/cache</cachedir></fontconfig>`,
    );
    return await chromium.launch({
      executablePath,
      // No sandbox: tests run as root and in containers too, and the only page is ours.
      args: ['--no-sandbox', '--no-zygote', '--disable-gpu', '--font-render-hinting=none'],
      env: {
        HOME: folder,
        TMPDIR: folder,
        FONTCONFIG_FILE: fonts,
        LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
      },
    });
  });
  return browser;
}

/** Both packages write where `os.tmpdir()` says and take no other wish. */
async function withTemporaryFiles<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}
