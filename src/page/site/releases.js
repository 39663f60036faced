/** @import { LiveView, ReleaseLine } from '../live-view.ts' */
/** @import { Judged } from './words.js' */
import { badge } from './badges.js';
import { Chart } from './chart.js';
import { element, list, setAttribute, setText } from './element.js';
import { amountOf, count, evidence, fewBelow, none, points, ratio, seconds, usd } from './figures.js';
import { evidenceShare, evidenceText, testText, trendText, words } from './words.js';

/** @typedef {{ readonly line: ReleaseLine, readonly baseline: ReleaseLine | undefined, readonly view: LiveView }} Shown */

/**
 * The releases of the chosen agent side by side, those that are judged first.
 * @param {HTMLElement} root
 * @returns {(view: LiveView) => void}
 */
export function releases(root) {
  const show = list(root, (/** @type {Shown} */ { line }) => line.release, releasePart);
  return (view) =>
    show(
      view.releases
        .map((line) => ({ line, baseline: baselineOf(view.releases, line), view }))
        .toSorted((one, other) => Number(isJudged(other.line)) - Number(isJudged(one.line))),
    );
}

/** @param {ReleaseLine} line */
function isJudged({ judged }) {
  return judged?.isRunning === true;
}

/**
 * @param {readonly ReleaseLine[]} lines
 * @param {ReleaseLine} line
 */
function baselineOf(lines, { judged }) {
  return lines.find(({ release }) => release === judged?.baseline);
}

function releasePart() {
  const name = element('h3');
  const runs = element('p', { class: 'about' });
  const table = element('dl', { class: 'figures' });
  const showFigures = list(table, (/** @type {Figure} */ { label }) => label, figurePart);
  const judgement = judgementPart();
  const node = element(
    'article',
    { class: 'release' },
    element('header', {}, name, runs),
    table,
    judgement.node,
  );
  return {
    node,
    show(/** @type {Shown} */ shown) {
      const { line } = shown;
      setText(name, line.release);
      setText(runs, `${line.runs < fewBelow ? 'few: ' : ''}${amountOf(line.runs, 'runs')}`);
      table.classList.toggle('few', line.runs < fewBelow);
      table.classList.toggle('compared', shown.baseline !== undefined);
      node.classList.toggle('judged', line.judged !== null);
      showFigures(figuresOf(shown));
      judgement.show(shown);
    },
    end: judgement.end,
  };
}

/** @typedef {{ readonly label: string, readonly value: string, readonly beside: string }} Figure */

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
    figure('Success', line.success, baseline?.success, ofShare),
    figure('Escalated', line.escalation, baseline?.escalation, ofShare),
    figure('Cost per run', line.costUsdPerRun, baseline?.costUsdPerRun, ofCost),
    figure('Duration, p95', line.durationP95Seconds, baseline?.durationP95Seconds, ofDuration),
  ];
}

/**
 * @param {string} label
 * @param {number | null} value
 * @param {number | null | undefined} other
 * @param {Writing} writing
 * @returns {Figure}
 */
function figure(label, value, other, { text, difference }) {
  return {
    label,
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

function figurePart() {
  const [label, value, beside] = [element('dt'), element('dd'), element('dd', { class: 'beside' })];
  return {
    node: element('div', {}, label, value, beside),
    show(/** @type {Figure} */ shown) {
      setText(label, shown.label);
      setText(value, shown.value);
      setText(beside, shown.beside);
    },
  };
}

function judgementPart() {
  const [verdict, action] = [badge(), element('span', { class: 'action' })];
  const [reason, units] = [element('p', { class: 'reason' }), element('p', { class: 'about' })];
  const evidenceList = element('ul', { class: 'tests' });
  const tests = list(
    evidenceList,
    (/** @type {TestShown} */ { test }) => `${test.kpi} ${test.test}`,
    testPart,
  );
  const chart = new Chart(56);
  const caption = element('p', { class: 'about' }, 'Evidence over time; the dashed line is a rollback');
  const said = element('p', { class: 'verdict' }, verdict.node, action);
  const parts = element('div', {}, said, reason, units, evidenceList, chart.node, caption);
  const unjudged = element('p', { class: 'quiet' });
  const node = element('div', { class: 'judgement' }, parts, unjudged);
  return {
    node,
    show(/** @type {Shown} */ { line: { release, judged }, view }) {
      parts.hidden = judged === null;
      unjudged.hidden = judged !== null;
      setText(unjudged, unjudgedText(release, view));
      if (!judged) return;
      verdict.show(judged.verdict);
      setText(action, actionText(judged));
      setText(reason, judged.reason);
      setText(units, unitsText(judged));
      tests(nearestFirst(judged.tests).map((test) => ({ test, baseline: judged.baseline })));
      const level = nearestRollback(judged);
      const text = trendText(`Evidence against ${release}`, judged.evidenceTrend, evidence);
      chart.show({ timesMs: view.trendTimesMs, values: judged.evidenceTrend, level, text });
      const isDrawn = judged.evidenceTrend.some((value) => value !== null);
      chart.node.hidden = caption.hidden = !isDrawn;
    },
    end: () => chart.remove(),
  };
}

/**
 * @param {string} release
 * @param {LiveView} view
 */
function unjudgedText(release, { releases: lines }) {
  const judgedBeside = lines.filter(({ judged }) => judged?.baseline === release).map((line) => line.release);
  return judgedBeside.length === 0
    ? 'Not judged: no policy has a canary gate for it, or nothing runs beside it.'
    : `Baseline: ${judgedBeside.join(' and ')} is compared with it.`;
}

/** @param {Judged} judged */
function actionText({ action, isRunning }) {
  const texts = {
    none: 'nothing to do yet',
    pause: 'pause it',
    rollback: 'roll it back',
    promote: 'go on with it',
  };
  return isRunning ? texts[action] : 'runs no more';
}

/** @param {Judged} judged */
function unitsText({ units, baselineUnits, baseline }) {
  const beside = baseline === null ? '' : `, and ${count(baselineUnits)} of ${baseline}`;
  return `Judged by ${count(units)} of it${beside}`;
}

/**
 * Where the test that is nearest to a rollback rolls back; null where none does.
 * @param {Judged} judged
 */
function nearestRollback({ tests }) {
  return nearestFirst(tests).find(({ rollbackAt }) => rollbackAt !== null)?.rollbackAt ?? null;
}

/**
 * Tests in the order in which they are near to a decision.
 * @param {Judged['tests']} tests
 */
function nearestFirst(tests) {
  return tests.toSorted((one, other) => evidenceShare(other).share - evidenceShare(one).share);
}

/** @typedef {{ readonly test: Judged['tests'][number], readonly baseline: string | null }} TestShown */

function testPart() {
  const question = element('p', { class: 'question' });
  const [fill, pause] = [element('span', { class: 'fill' }), element('span', { class: 'pause' })];
  const bar = element('div', { class: 'bar', 'aria-hidden': 'true' }, fill, pause);
  const answer = element('p', { class: 'about' });
  return {
    node: element('li', {}, question, bar, answer),
    show(/** @type {TestShown} */ { test, baseline }) {
      const { share, pause: at } = evidenceShare(test);
      setText(question, `${words(test.kpi)}: ${testText(test, baseline)}?`);
      fill.style.inlineSize = `${share * 100}%`;
      setAttribute(
        fill,
        'data-look',
        test.passAt !== null ? 'good' : share >= 1 ? 'bad' : share >= (at ?? 1) ? 'warn' : 'accent',
      );
      pause.hidden = at === null;
      pause.style.insetInlineStart = `${(at ?? 0) * 100}%`;
      setText(answer, evidenceText(test));
    },
  };
}
