/** @import { LiveView, RollbackLine } from '../live-view.ts' */
/** @import { Answers } from './answers.js' */
/** @import { Decision, Decisions } from './decisions.js' */
/** @import { Reviews } from './reviews.js' */
import { badge } from './badges.js';
import { byId, element, list, setAttribute, setText } from './element.js';
import { ago, day, duration, exactly } from './figures.js';
import { isWaiting, reviewText, rollbackText, words } from './words.js';

/** @typedef {{ readonly rollback: RollbackLine, readonly nowMs: number }} Shown */
/** @typedef {{ readonly answers: Answers, readonly decisions: Decisions, readonly reviews: Reviews }} Acts */

/**
 * The latest rollbacks; one that waits for approval can be approved and refused, one that is over reviewed.
 * @param {HTMLElement} root
 * @param {HTMLElement} nothing shown where there are none
 * @param {HTMLElement} stopped says why none is done
 * @param {Acts} acts
 * @returns {(view: LiveView, nowMs: number) => void}
 */
export function rollbacks(root, nothing, stopped, acts) {
  const show = list(
    root,
    (/** @type {Shown} */ { rollback }) => rollback.id,
    () => rollbackPart(acts),
  );
  return (view, nowMs) => {
    nothing.hidden = view.rollbacks.length > 0;
    const waiting = view.rollbacks
      .filter(isWaiting)
      .map(({ agent, fromRelease }) => `${agent} ${fromRelease}`);
    byId('waiting').hidden = waiting.length === 0;
    setText(byId('waiting-text'), `The rollback of ${waiting.join(' and of ')} waits for approval.`);
    stopped.hidden = view.rollbacksStopped === null;
    setText(stopped, `No rollback is done: ${view.rollbacksStopped ?? ''}`);
    show(view.rollbacks.map((rollback) => ({ rollback, nowMs })));
  };
}

/** @param {Acts} acts */
function rollbackPart({ answers, decisions, reviews }) {
  const state = badge();
  const [mode, asked] = [element('span', { class: 'quiet' }), element('time')];
  const [title, reason, outcome] = [
    element('h3', { tabindex: '-1' }),
    element('p'),
    element('p', { class: 'about' }),
  ];
  const stands = element('p', { class: 'about' });
  const waiting = waitingPart(decisions, title);
  const review = reviewPart(reviews, title);
  const answer = element('p', { class: 'answer' });
  const node = element(
    'li',
    {},
    element('div', { class: 'badges' }, state.node, mode),
    title,
    reason,
    outcome,
    stands,
    waiting.node,
    review.node,
    answer,
    element('p', { class: 'about' }, asked),
  );
  return {
    node,
    show(/** @type {Shown} */ shown) {
      const { rollback, nowMs } = shown;
      const { requestedMs, refusedUntilMs: untilMs } = rollback;
      state.show(rollback.state);
      setText(mode, `mode ${words(rollback.mode)}`);
      setText(title, rollbackText(rollback));
      setText(reason, rollback.reason);
      setText(outcome, rollback.outcome);
      outcome.hidden = rollback.outcome === '' || rollback.outcome === rollback.reason;
      stands.hidden = untilMs === null || untilMs <= nowMs;
      setText(stands, `That stands until ${day(untilMs ?? 0)}, whoever asks.`);
      setText(asked, `requested ${ago(requestedMs, nowMs)}`);
      setAttribute(asked, 'title', exactly(requestedMs));
      setAttribute(asked, 'datetime', new Date(requestedMs).toISOString());
      waiting.show(shown);
      review.show(rollback);
      const said = answers.to(rollback.id);
      setText(answer, said);
      answer.hidden = said === '';
    },
  };
}

/**
 * @param {Decisions} decisions
 * @param {HTMLElement} heading gets the focus when what has it goes
 */
function waitingPart(decisions, heading) {
  /** @type {RollbackLine | undefined} */
  let shown;
  const whom = element('p');
  const button = (/** @type {Decision} */ decision, /** @type {string} */ text) => {
    const made = element('button', { type: 'button', 'data-decision': decision }, text);
    made.addEventListener('click', () => shown && decisions.ask(shown, decision, heading));
    return made;
  };
  const buttons = element(
    'p',
    { class: 'buttons' },
    button('approve', 'Approve…'),
    button('refuse', 'Refuse…'),
  );
  const node = element('div', { class: 'waiting' }, whom, buttons);
  return {
    node,
    show(/** @type {Shown} */ { rollback, nowMs }) {
      shown = rollback;
      const isOpen = isWaiting(rollback);
      const left = duration((rollback.approvalExpiresMs ?? nowMs) - nowMs);
      const { approvers, approvedBy } = rollback;
      const who = approvers.filter((name) => !approvedBy.includes(name)).join(' or ');
      setText(whom, `${agreed(rollback)}Waits for ${who === '' ? 'an approver' : who}, ${left} left.`);
      if (!isOpen && node.contains(document.activeElement)) heading.focus();
      node.hidden = !isOpen;
    },
  };
}

/**
 * @param {Reviews} reviews
 * @param {HTMLElement} heading
 */
function reviewPart(reviews, heading) {
  /** @type {RollbackLine | undefined} */
  let shown;
  const said = element('span');
  const button = element('button', { type: 'button' }, 'Review…');
  button.addEventListener('click', () => shown && reviews.ask(shown, heading));
  const node = element('p', { class: 'review' }, said, ' ', button);
  return {
    node,
    show(/** @type {RollbackLine} */ rollback) {
      shown = rollback;
      setText(said, reviewText(rollback));
      node.hidden = !rollback.isOver;
    },
  };
}

/**
 * How many approved a rollback that needs several to, as a sentence; '' for others.
 * @param {RollbackLine} rollback
 */
function agreed({ approvals, approvedBy }) {
  if (approvals === null || approvals === 1) return '';
  const who = approvedBy.length === 0 ? '' : `, by ${approvedBy.join(' and ')}`;
  return `${approvedBy.length} of ${approvals} approved${who}. `;
}
