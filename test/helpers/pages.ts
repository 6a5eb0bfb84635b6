import { readFileSync } from 'node:fs';

export const root = new URL('../../', import.meta.url);

/** A file of the repository, by its path from there. */
export function read(page: string): string {
  return readFileSync(new URL(page, root), 'utf8');
}

/** The rows below the heading of the table whose first column has this name, without the marks of code. */
export function tableOf(text: string, name: string): string[][] {
  const [, rows = ''] = new RegExp(`^\\| ${name} .*\\n\\|[-| ]+\\n((?:\\|.*\\n)+)`, 'm').exec(text) ?? [];
  return [...rows.matchAll(/^\|(.*)\|$/gm)].map(([, row = '']) =>
    row.split('|').map(cell => cell.trim().replaceAll('`', '')),
  );
}
