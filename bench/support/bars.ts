/** One bar of a group: `value` in the unit of the chart, `note` beside its end. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly note: string;
  readonly kind: 'ours' | 'other';
}

export interface Group {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const colours = { ours: '#2563a8', other: '#9aa5b1' };
const width = 720;
const left = 190;
const room = 150;
const height = 22;

/** A chart of horizontal bars, readable on a light and on a dark page. */
export function barChart(title: string, groups: readonly Group[]): string {
  const longest = Math.max(...groups.flatMap(group => group.bars.map(bar => bar.value)));
  const parts = [text(16, 30, title, 'font-size="16" font-weight="bold"')];
  let y = 58;
  for (const group of groups) {
    parts.push(text(16, y, group.title, 'font-weight="bold"'));
    y += 10;
    for (const bar of group.bars) {
      const length = Math.round((bar.value / longest) * (width - left - room));
      parts.push(
        text(left - 8, y + 15, bar.label, 'text-anchor="end"'),
        `<rect x="${left}" y="${y}" width="${length}" height="${height - 4}" rx="2" fill="${colours[bar.kind]}"/>`,
        text(left + length + 8, y + 15, bar.note),
      );
      y += height;
    }
    y += 24;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${y}" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" fill="#1f2933" ${attributes}>${escaped(content)}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
