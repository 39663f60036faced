/** @import { LiveView, ReleaseLine } from '../live-view.ts' */
import { badge } from './badges.js';
import { cell, element, list, setText } from './element.js';
import { count, fewBelow, none, points, ratio, seconds, usd } from './figures.js';
import { comparedWith, isBaselineOnly } from './words.js';

/** @typedef {{ readonly line: ReleaseLine, readonly baseline: ReleaseLine | undefined, readonly judges: readonly string[] }} Shown */

/**
 * The releases of the chosen agent beside each other, those that are judged first.
 * @param {HTMLElement} table
 * @param {HTMLElement} root of its lines
 * @param {HTMLElement} nothing shown where there are none
 * @returns {(view: LiveView) => void}
 */
export function releases(table, root, nothing) {
  const show = list(root, (/** @type {Shown} */ { line }) => line.release, releasePart);
  return ({ releases: lines }) => {
    table.hidden = lines.length === 0;
    nothing.hidden = lines.length > 0;
    const shown = lines.map((line) => ({
      line,
      baseline: lines.find(({ release }) => release === line.judged?.baseline),
      judges: comparedWith(lines, line),
    }));
    show(shown.toSorted((one, other) => Number(isJudged(other.line)) - Number(isJudged(one.line))));
  };
}

/** @param {ReleaseLine} line */
function isJudged({ judged }) {
  return judged?.isRunning === true;
}

function releasePart() {
  const [name, verdict] = [element('span', { class: 'name' }), badge()];
  const [judged, runs] = [cell('Verdict', 'cell-verdict'), cell('Runs', 'number')];
  const role = element('span', { class: 'quiet' });
  judged.append(verdict.node, role);
  const figures = ['Success', 'Escalated', 'Cost per run', 'Duration, p95'].map(figureCell);
  const head = element('th', { scope: 'row', role: 'rowheader' }, name);
  const node = element('tr', { role: 'row' }, head, judged, ...figures.map((each) => each.node), runs);
  return {
    node,
    show(/** @type {Shown} */ shown) {
      const { line, judges } = shown;
      setText(name, line.release);
      const isBaseline = isBaselineOnly(line, judges);
      verdict.node.hidden = line.judged === null || isBaseline;
      role.hidden = line.judged !== null && !isBaseline;
      if (line.judged) verdict.show(line.judged.verdict);
      setText(role, judges.length === 0 ? 'not judged' : `baseline of ${judges.join(' and ')}`);
      for (const [i, each] of figuresOf(shown).entries()) figures[i]?.show(each);
      setText(runs, line.runs < fewBelow ? `few: ${count(line.runs)}` : count(line.runs));
      node.classList.toggle('few-runs', line.runs < fewBelow);
    },
  };
}

/** @typedef {{ readonly value: string, readonly beside: string }} Figure */

/** @param {string} label */
function figureCell(label) {
  const [value, beside] = [element('span', { class: 'value' }), element('span', { class: 'beside' })];
  const node = cell(label, 'number');
  node.append(value, ' ', beside);
  return {
    node,
    show(/** @type {Figure} */ shown) {
      setText(value, shown.value);
      setText(beside, shown.beside);
    },
  };
}

/**
 * How a figure is written, and how it differs from that of the baseline.
 * @typedef {{
 *   readonly text: (value: number) => string,
 *   readonly difference: (value: number, other: number) => string,
 * }} Writing
 */

/** @type {Writing} */
const ofShare = { text: ratio, difference: (value, other) => points(value - other) };
/** @type {Writing} */
const ofCost = { text: usd, difference: relative };
/** @type {Writing} */
const ofDuration = { text: seconds, difference: relative };

/**
 * @param {Shown} shown
 * @returns {readonly Figure[]}
 */
function figuresOf({ line, baseline }) {
  return [
    figure(line.success, baseline?.success, ofShare),
    figure(line.escalation, baseline?.escalation, ofShare),
    figure(line.costUsdPerRun, baseline?.costUsdPerRun, ofCost),
    figure(line.durationP95Seconds, baseline?.durationP95Seconds, ofDuration),
  ];
}

/**
 * @param {number | null} value
 * @param {number | null | undefined} other
 * @param {Writing} writing
 * @returns {Figure}
 */
function figure(value, other, { text, difference }) {
  return {
    value: value === null ? none : text(value),
    beside: value === null || typeof other !== 'number' ? '' : difference(value, other),
  };
}

/**
 * @param {number} value
 * @param {number} other
 */
function relative(value, other) {
  if (other === 0) return '';
  const change = Math.round((value / other - 1) * 100);
  return `${change === 0 ? '±' : change < 0 ? '−' : '+'}${Math.abs(change)}\u202f%`;
}
