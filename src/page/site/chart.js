import uPlot from '/page/uPlot.esm.js';
import { element, setAttribute } from './element.js';

/**
 * What a chart shows: one value for each time (milliseconds since the epoch), and a level to compare them with.
 * @typedef {{
 *   readonly timesMs: readonly number[],
 *   readonly values: readonly (number | null)[],
 *   readonly level: number | null,
 *   readonly text: string,
 * }} Trend
 */

/** Charts that are there: one look at the colours and one observer of sizes for all. */
const charts = new Map();
const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) charts.get(target)?.resize(contentRect.width);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const chart of charts.values()) chart.redraw();
});

/** A line over time in the colour of its text, and, dashed, the level. Who does not see it hears `text`. */
export class Chart {
  node = element('div', { class: 'chart', role: 'img' });
  #plot;
  /** @type {readonly unknown[] | undefined} */
  #shown;
  /** @type {number | null} */
  #level = null;

  /**
   * @param {number} height in CSS pixels
   * @param {(index: number | null) => void} onHover told of the value under the pointer, null where it left
   */
  constructor(height, onHover = () => {}) {
    const colour = (/** @type {string} */ name) => () => getComputedStyle(this.node).getPropertyValue(name);
    const points = { show: false };
    this.#plot = new uPlot(
      {
        width: 100,
        height,
        padding: [5, 3, 5, 3],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        axes: [{ show: false }, { show: false }],
        scales: { x: { time: true }, y: { range: (_, low, high) => rangeOf(low, high, this.#level) } },
        series: [
          {},
          { stroke: colour('--chart-line'), fill: colour('--chart-fill'), width: 1.5, points },
          { stroke: colour('--chart-level'), width: 1, dash: [4, 4], points, auto: false },
        ],
        hooks: { setCursor: [({ cursor }) => onHover(cursor.idx ?? null)] },
      },
      [[], [], []],
      this.node,
    );
    charts.set(this.node, this);
    sizes.observe(this.node);
  }

  /** @param {Trend} trend */
  show({ timesMs, values, level, text }) {
    setAttribute(this.node, 'aria-label', text);
    if (isSame(this.#shown, [level, ...timesMs, ...values])) return;
    this.#shown = [level, ...timesMs, ...values];
    this.#level = level;
    this.#plot.setData([timesMs.map((timeMs) => timeMs / 1000), [...values], timesMs.map(() => level)]);
  }

  /** @param {number} width */
  resize(width) {
    if (width > 0) this.#plot.setSize({ width, height: this.#plot.height });
  }

  redraw() {
    this.#plot.redraw(false);
  }

  /** Ends it: nothing observes it any more. */
  remove() {
    sizes.unobserve(this.node);
    charts.delete(this.node);
    this.#plot.destroy();
  }
}

/**
 * The ends of a scale with some air; the level is in it unless it is so far that the line beside it would look flat.
 * @param {number | null} low
 * @param {number | null} high
 * @param {number | null} level
 * @returns {[number, number]}
 */
function rangeOf(low, high, level) {
  if (low === null || high === null) return level === null ? [0, 1] : [level - 1, level + 1];
  const height = high - low || Math.abs(high) * 0.1 || 1;
  const isNear = level !== null && level > low - 3 * height && level < high + 3 * height;
  const [least, most] = isNear ? [Math.min(low, level), Math.max(high, level)] : [low, high];
  const air = Math.max(height, most - least) * 0.12;
  return [least - air, most + air];
}

/**
 * @param {readonly unknown[] | undefined} some
 * @param {readonly unknown[]} others
 */
function isSame(some, others) {
  return some !== undefined && some.length === others.length && some.every((each, i) => each === others[i]);
}
