/** @import { LiveView } from '../live-view.ts' */
/** @import { Judged } from './words.js' */
import { badge } from './badges.js';
import { Chart } from './chart.js';
import { element, list, setAttribute, setText } from './element.js';
import { count, evidence, lately } from './figures.js';
import {
  comparedWith,
  isBaselineOnly,
  evidenceShare,
  evidenceText,
  questionText,
  trendText,
} from './words.js';

/** @typedef {{ readonly release: string, readonly judged: Judged, readonly timesMs: readonly number[], readonly nowMs: number }} Shown */

/**
 * How each release that is judged stands, and on what evidence.
 * @param {HTMLElement} root
 * @returns {(view: LiveView) => void}
 */
export function judgements(root) {
  const show = list(root, (/** @type {Shown} */ { release }) => release, judgementPart);
  return (view) =>
    show(
      view.releases.flatMap((line) =>
        line.judged && !isBaselineOnly(line, comparedWith(view.releases, line))
          ? [{ release: line.release, judged: line.judged, timesMs: view.trendTimesMs, nowMs: view.atMs }]
          : [],
      ),
    );
}

function judgementPart() {
  const [name, verdict, action] = [element('h3'), badge(), element('span', { class: 'action' })];
  const [reason, units] = [element('p', { class: 'reason' }), element('p', { class: 'about' })];
  const evidenceList = element('ul', { class: 'tests' });
  const tests = list(
    evidenceList,
    (/** @type {TestShown} */ { test }) => `${test.kpi} ${test.test}`,
    testPart,
  );
  const chart = new Chart(92);
  const caption = element('p', { class: 'about caption' });
  const drawn = element('div', { class: 'drawn' }, chart.node, caption);
  const node = element(
    'article',
    { class: 'panel judgement' },
    element('header', {}, name, verdict.node, action),
    reason,
    units,
    element('div', { class: 'evidence' }, evidenceList, drawn),
  );
  return {
    node,
    show(/** @type {Shown} */ { release, judged, timesMs, nowMs }) {
      const { baseline, evidenceTest, evidenceTrend: values } = judged;
      setText(name, baseline === null ? release : `${release} beside ${baseline}`);
      verdict.show(judged.verdict);
      setText(action, actionText(judged, nowMs));
      setText(reason, judged.reason);
      setText(units, unitsText(judged));
      tests(nearestFirst(judged.tests).map((test) => ({ test, baseline })));
      drawn.hidden = evidenceTest === null || values.every((value) => value === null);
      if (evidenceTest === null) return;
      const { rollbackAt: level } = evidenceTest;
      const [question, end] = [questionText(evidenceTest, baseline), `rolls back at ${evidence(level)}`];
      const text = `${trendText(`Evidence, ${question}`, values, evidence)}; ${end}`;
      chart.show({ timesMs, values, level, text });
      setText(caption, `Evidence over time, ${question} It ${end}, the dashed line where it is in sight.`);
    },
    end: () => chart.remove(),
  };
}

/**
 * What is to be done, or was.
 * @param {Judged} judged
 * @param {number} nowMs
 */
function actionText({ action, isRunning, rolledBackMs }, nowMs) {
  if (rolledBackMs !== null) return `rolled back ${lately(rolledBackMs, nowMs)}`;
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
      setText(question, questionText(test, baseline));
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
