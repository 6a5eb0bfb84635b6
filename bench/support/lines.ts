export interface Series {
  readonly label: string;
  /** x and y. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
}

const colours = ['#2563a8', '#c2571a', '#6b7280'];
const width = 720;
const panelHeight = 240;
const plot = { left: 60, right: 170, top: 34, bottom: 34 };

/** Line charts one below the other, with x on a logarithmic scale, readable on a light and on a dark page. */
export function lineChart(title: string, panels: readonly Panel[]): string {
  const height = 50 + panels.length * panelHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(16, 30, title, 'font-size="16" font-weight="bold"'),
    ...panels.map(
      (panel, at) => `<g transform="translate(0 ${50 + at * panelHeight})">${drawPanel(panel)}</g>`,
    ),
    '</svg>\n',
  ].join('\n');
}

function drawPanel({ title, series }: Panel): string {
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const top = niceCeiling(Math.max(...series.flatMap(({ points }) => points.map(([, y]) => y))));
  const span = Math.log2((xs.at(-1) ?? 1) / (xs[0] ?? 1)) || 1;
  const px = (x: number): number =>
    plot.left + (Math.log2(x / (xs[0] ?? 1)) / span) * (width - plot.left - plot.right);
  const py = (y: number): number =>
    panelHeight - plot.bottom - (y / top) * (panelHeight - plot.top - plot.bottom);
  const parts = [text(16, 20, title, 'font-weight="bold"')];
  for (let i = 0; i <= 4; i++) {
    const y = (top * i) / 4;
    parts.push(
      `<line x1="${plot.left}" x2="${width - plot.right}" y1="${py(y)}" y2="${py(y)}" stroke="#e5e7eb"/>`,
      text(plot.left - 8, py(y) + 4, String(Math.round(y * 10) / 10), 'text-anchor="end"'),
    );
  }
  for (const x of xs) parts.push(text(px(x), panelHeight - 14, String(x), 'text-anchor="middle"'));
  series.forEach(({ label, points }, at) => {
    const colour = colours[at % colours.length];
    const path = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [x, y] of points) parts.push(`<circle cx="${px(x)}" cy="${py(y)}" r="3" fill="${colour}"/>`);
    // In a column of their own: where lines end close together, labels at their ends would lie on each other.
    parts.push(
      `<rect x="${width - plot.right + 20}" y="${plot.top + at * 22}" width="14" height="4" fill="${colour}"/>`,
      text(width - plot.right + 40, plot.top + at * 22 + 7, label),
    );
  });
  return parts.join('\n');
}

function niceCeiling(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 8, 10].find(step => step * unit >= value) ?? 10) * unit;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" fill="#1f2933" ${attributes}>${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
}
