import { escapeHtml } from './escape-html.ts';
import type { Split, Stacks, Trend } from './document.ts';

const [width, height, margin] = [72, 20, 3];

const decimal = (value: number): string => String(Math.round(value * 100) / 100);

/** A line through the points of `trend`, its last one marked, as SVG; a point that is missing leaves a gap. */
export function sparkline({ title, points }: Trend): string {
  const known = points.filter((point) => point !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (index: number): number =>
    points.length < 2 ? width / 2 : margin + (index * (width - 2 * margin)) / (points.length - 1);
  const y = (value: number): number =>
    high === low ? height / 2 : height - margin - ((value - low) / (high - low)) * (height - 2 * margin);
  const places = points.map((point, index) => (point === null ? undefined : ([x(index), y(point)] as const)));
  const path = places
    .map((place, index) => (place ? `${places[index - 1] ? 'L' : 'M'}${place.map(decimal).join(' ')}` : ''))
    .join('');
  const dots = places.flatMap((place, index) => {
    const isLast = index === places.length - 1;
    const isAlone = !places[index - 1] && !places[index + 1];
    if (!place || !(isLast || isAlone)) return [];
    return `<circle class="${isLast ? 'now' : 'then'}" cx="${decimal(place[0])}" cy="${decimal(place[1])}" r="2.2"/>`;
  });
  return svg('spark', title, [width, height], `${path === '' ? '' : `<path d="${path}"/>`}${dots.join('')}`);
}

/** Parts of a whole beside each other in one bar, as SVG. */
export function splitBar({ title, parts }: Split): string {
  const whole = parts.reduce((sum, { value }) => sum + value, 0);
  let before = 0;
  const rects = parts.map(({ value }, index) => {
    const from = before;
    before += whole === 0 ? 0 : (value / whole) * 600;
    return `<rect class="part${index}" x="${decimal(from)}" width="${decimal(before - from)}" height="18"/>`;
  });
  const words = `${title}: ${parts.map(({ label, text }) => `${label} ${text}`).join('; ')}`;
  return svg('split', words, [600, 18], rects.join(''));
}

const [columnWidth, gap, plotHeight, textHeight] = [44, 16, 72, 16];

/** A column for each label, of layers on each other, with its sum above, as SVG. */
export function stackedColumns({ title, labels, layers }: Stacks): string {
  const sums = labels.map((_, index) => layers.reduce((sum, { values }) => sum + (values[index] ?? 0), 0));
  const highest = Math.max(...sums, 1);
  const columns = labels.map((label, index) => {
    const x = index * (columnWidth + gap) + gap / 2;
    const middle = decimal(x + columnWidth / 2);
    let top = textHeight + plotHeight;
    const rects = layers.map(({ values }, layer) => {
      const size = ((values[index] ?? 0) / highest) * plotHeight;
      top -= size;
      return size === 0
        ? ''
        : `<rect class="layer${layer}" x="${x}" y="${decimal(top)}" width="${columnWidth}" height="${decimal(size)}"/>`;
    });
    const texts = [
      `<text x="${middle}" y="${decimal(top - 4)}">${sums[index]}</text>`,
      `<text x="${middle}" y="${plotHeight + 2 * textHeight - 3}">${escapeHtml(label)}</text>`,
    ];
    return [...rects, ...texts].join('');
  });
  const said = layers.map(
    ({ label, values }) => `${label} ${values.map((value, index) => `${labels[index]} ${value}`).join(', ')}`,
  );
  const size = [labels.length * (columnWidth + gap), plotHeight + 2 * textHeight] as const;
  return svg('stacks', `${title}: ${said.join('; ')}`, size, columns.join(''));
}

function svg(kind: string, title: string, [w, h]: readonly [number, number], drawn: string): string {
  return `<svg class="${kind}" viewBox="0 0 ${w} ${h}" role="img" preserveAspectRatio="${kind === 'split' ? 'none' : 'xMidYMid'}"><title>${escapeHtml(title)}</title>${drawn}</svg>`;
}
