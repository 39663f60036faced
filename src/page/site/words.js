/** @import { LiveView, ReleaseLine, RollbackLine, Tile } from '../live-view.ts' */
import { amountOf, asked, evidence, fewBelow } from './figures.js';

/** @typedef {NonNullable<ReleaseLine['judged']>} Judged */
/** @typedef {Judged['tests'][number]} TestLine */

/**
 * A name of the program as words: `human_handoff` is `human handoff`.
 * @param {string} name
 */
export function words(name) {
  return name.replaceAll('_', ' ');
}

/**
 * What a tile counts: `412 runs`, and that they are few where they are.
 * @param {Tile} tile
 * @returns {{ readonly text: string, readonly isFew: boolean }}
 */
export function sample({ unit, denominator, counted }) {
  if (counted === '') return { text: '', isFew: false };
  const isFew = denominator < fewBelow && unit !== 'incidents';
  const text = denominator === 0 ? `no ${counted} yet` : amountOf(denominator, counted);
  return { text: isFew && denominator > 0 ? `few: ${text}` : text, isFew };
}

/**
 * Whether a KPI is as the policy asks; undefined where nothing is asked or nothing is known.
 * @param {Tile} tile
 * @returns {boolean | undefined}
 */
export function isMet({ value, objective, better }) {
  if (value === null || objective === null) return undefined;
  return better === 'higher' ? value >= objective : value <= objective;
}

/**
 * What the policy asks of a KPI, and whether it is so: `at least 90 %` where it is, `below 90 %` where it is not.
 * @param {Tile} tile
 */
export function objectiveText(tile) {
  const { objective, better, unit } = tile;
  if (objective === null) return 'no objective';
  const [kept, missed] = better === 'higher' ? ['at least', 'below'] : ['at most', 'above'];
  return `${isMet(tile) === false ? missed : kept} ${asked(objective, unit)}`;
}

/**
 * The same for who does not see the sign beside it.
 * @param {Tile} tile
 */
export function objectiveSays(tile) {
  const met = isMet(tile);
  return met === undefined ? '' : met ? 'Objective met: ' : 'Objective not met: ';
}

/**
 * A trend for who does not see the chart.
 * @param {string} title
 * @param {readonly (number | null)[]} values
 * @param {(value: number) => string} text
 */
export function trendText(title, values, text) {
  const known = values.filter((value) => value !== null);
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return `${title} over time: nothing yet`;
  const between = `between ${text(Math.min(...known))} and ${text(Math.max(...known))}`;
  return `${title} over time: from ${text(first)} to ${text(last)}, ${between}`;
}

/** What a test asks of a release, before and after the name of its baseline. */
const asks = new Map([
  ['worse', ['worse than ', '']],
  ['before', ['worse than ', ' was before']],
  ['not_worse', ['surely not worse than ', '']],
]);

/**
 * What a test asks of a release: `run success: worse than 1.4.0?`.
 * @param {Pick<TestLine, 'kpi' | 'test'>} test
 * @param {string | null} baseline
 */
export function questionText({ kpi, test }, baseline) {
  if (test === 'floor') return `${words(kpi)}: worse than the policy ever allows?`;
  const [before = words(test), after = ''] = asks.get(test) ?? [`${words(test)}, beside `];
  return `${words(kpi)}: ${before}${baseline ?? 'its baseline'}${after}?`;
}

/**
 * The releases that are compared with `line`.
 * @param {readonly ReleaseLine[]} lines
 * @param {ReleaseLine} line
 */
export function comparedWith(lines, { release }) {
  return lines.filter(({ judged }) => judged?.baseline === release).map((each) => each.release);
}

/**
 * Whether of `line` nothing more is to be said than that the releases `others` are compared with it.
 * @param {ReleaseLine} line
 * @param {readonly string[]} others
 */
export function isBaselineOnly({ judged }, others) {
  const says = judged !== null && (judged.baseline !== null || judged.verdict !== 'inconclusive');
  return others.length > 0 && !says;
}

/**
 * How far the evidence of a test is: how much there is, and how much is enough for what.
 * @param {TestLine} test
 */
export function evidenceText({ logEvidence, pauseAt, rollbackAt, passAt }) {
  const enough = [
    { at: pauseAt, ahead: 'pauses', done: 'enough to pause' },
    { at: rollbackAt, ahead: 'rolls back', done: 'enough to roll back' },
    { at: passAt, ahead: 'passes', done: 'enough to pass' },
  ].flatMap(({ at, ...rest }) => (at === null ? [] : [{ at, ...rest }]));
  const reached = enough.findLast(({ at }) => logEvidence >= at);
  const still = enough
    .filter(({ at }) => logEvidence < at)
    .map(({ at, ahead }) => `${ahead} at ${evidence(at)}`);
  return [`evidence ${evidence(logEvidence)}`, ...(reached ? [reached.done] : []), ...still].join(', ');
}

/**
 * How full the bar of a test is, from 0 to 1, and where on it the release pauses; null where it never does.
 * @param {TestLine} test
 */
export function evidenceShare({ logEvidence, pauseAt, rollbackAt, passAt }) {
  const end = passAt ?? rollbackAt ?? pauseAt;
  if (end === null || end <= 0) return { share: 0, pause: null };
  const within = (/** @type {number} */ log) => Math.min(1, Math.max(0, log / end));
  return { share: within(logEvidence), pause: pauseAt === null || pauseAt >= end ? null : within(pauseAt) };
}

/**
 * What changed that who listens must hear, as sentences; figures that move are not among it.
 * @param {LiveView | null} before
 * @param {LiveView} after
 * @returns {readonly string[]}
 */
export function announcements(before, after) {
  if (!before || choiceOf(before) !== choiceOf(after)) return [];
  const known = new Set(before.incidents.map(({ id }) => id));
  const waited = new Set(before.rollbacks.filter(isWaiting).map(({ id }) => id));
  return [
    ...[...failing(after).difference(failing(before))].map((name) => `A release of ${name} fails.`),
    ...after.incidents.filter(({ id }) => !known.has(id)).map(({ title }) => `New incident: ${title}`),
    ...after.rollbacks
      .filter((each) => isWaiting(each) && !waited.has(each.id))
      .map(({ agent }) => `A rollback of ${agent} waits for approval.`),
  ];
}

/** @param {LiveView['rollbacks'][number]} rollback */
export function isWaiting({ approvalExpiresMs }) {
  return approvalExpiresMs !== null;
}

/**
 * Which agent a rollback takes from which release to which.
 * @param {RollbackLine} rollback
 */
export function rollbackText({ agent, environment, fromRelease, toRelease }) {
  return `${agent} in ${environment}: ${fromRelease} → ${toRelease ?? 'nothing to go back to'}`;
}

/**
 * What stands before `right` and `wrong` of a rollback that is over.
 * @param {Pick<RollbackLine, 'state'>} rollback
 */
export function reviewVerb({ state }) {
  return state === 'dry_run' ? 'would have been' : 'was';
}

/**
 * What somebody said of whether a rollback was right, as a sentence.
 * @param {RollbackLine} rollback
 */
export function reviewText(rollback) {
  const { review } = rollback;
  if (!review) return `Nobody has said yet whether it ${reviewVerb(rollback)} right.`;
  const note = review.note === '' ? '.' : `: ${review.note}`;
  return `${review.by} says that it ${reviewVerb(rollback)} ${review.review}${note}`;
}

/**
 * The agents of which a release fails.
 * @param {LiveView} view
 */
function failing({ agents }) {
  const lines = agents.filter(({ verdict }) => verdict === 'fail');
  return new Set(lines.map(({ agent, environment }) => `${agent} in ${environment}`));
}

/** @param {LiveView} view */
function choiceOf({ chosen }) {
  return JSON.stringify([chosen?.agent, chosen?.environment]);
}
