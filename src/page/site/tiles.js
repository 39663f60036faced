/** @import { LiveView, Tile } from '../live-view.ts' */
import { Chart } from './chart.js';
import { element, list, setAttribute, setText } from './element.js';
import { clock, figure } from './figures.js';
import { isMet, objectiveSays, objectiveText, sample, trendText } from './words.js';

/** @typedef {{ readonly tile: Tile, readonly timesMs: readonly number[], readonly isOfAll: boolean }} Shown */

/**
 * The KPIs, one tile each.
 * @param {HTMLElement} root
 * @returns {(view: LiveView) => void}
 */
export function tiles(root) {
  const show = list(root, (/** @type {Shown} */ { tile }) => tile.kpi, tilePart);
  return ({ tiles: all, trendTimesMs: timesMs, chosen }) =>
    show(all.map((tile) => ({ tile, timesMs, isOfAll: chosen === null })));
}

function tilePart() {
  const title = element('h3');
  const value = element('p', { class: 'value' });
  const [says, asks] = [element('span', { class: 'unseen' }), element('span')];
  const objective = element('p', { class: 'objective' }, says, asks);
  const about = element('p', { class: 'about' });
  /** @type {Shown | undefined} */
  let shown;
  /** @type {number | null} */
  let hovered = null;
  const chart = new Chart(44, (index) => {
    hovered = index;
    showAbout();
  });
  const node = element('article', { class: 'tile' }, title, value, objective, chart.node, about);

  const showAbout = () => {
    if (!shown) return;
    const { tile, timesMs } = shown;
    const [timeMs, past] = hovered === null ? [] : [timesMs[hovered], tile.trend[hovered]];
    setText(
      about,
      timeMs === undefined ? sample(tile).text : `${figure(past ?? null, tile.unit)} at ${clock(timeMs)}`,
    );
  };
  const show = (/** @type {Shown} */ next) => {
    shown = next;
    const { tile, timesMs, isOfAll } = next;
    const { title: name, unit, trend: values, objective: level } = tile;
    const met = isMet(tile);
    node.dataset['kpi'] = tile.kpi;
    setText(title, name);
    setText(value, figure(tile.value, unit));
    value.classList.toggle('few', sample(tile).isFew);
    setText(says, objectiveSays(tile));
    // Of all agents together there may be none although each has its own: that line says nothing then.
    setText(asks, isOfAll && level === null ? '\u00A0' : objectiveText(tile));
    setAttribute(objective, 'data-met', met === undefined ? null : String(met));
    const text = trendText(name, values, (each) => figure(each, unit));
    chart.show({ timesMs, values, level, text });
    showAbout();
  };
  return { node, show, end: () => chart.remove() };
}
