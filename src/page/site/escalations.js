/** @import { LiveView } from '../live-view.ts' */
import { element, list, setText } from './element.js';
import { amountOf, ratio } from './figures.js';
import { words } from './words.js';

/** @typedef {{ readonly reason: string, readonly runs: number, readonly all: number, readonly most: number }} Shown */

/**
 * Runs that escalated, by reason.
 * @param {HTMLElement} root
 * @param {HTMLElement} nothing shown where there are none
 * @returns {(view: LiveView) => void}
 */
export function escalations(root, nothing) {
  const show = list(root, (/** @type {Shown} */ { reason }) => reason, reasonPart);
  return (view) => {
    const all = view.escalations.reduce((sum, { runs }) => sum + runs, 0);
    const most = Math.max(1, ...view.escalations.map(({ runs }) => runs));
    nothing.hidden = view.escalations.length > 0;
    show(view.escalations.map((each) => ({ ...each, all, most })));
  };
}

function reasonPart() {
  const [name, amount, fill] = [
    element('span'),
    element('span', { class: 'number' }),
    element('span', { class: 'fill' }),
  ];
  const bar = element('div', { class: 'bar', 'aria-hidden': 'true' }, fill);
  return {
    node: element('li', {}, name, amount, bar),
    show(/** @type {Shown} */ { reason, runs, all, most }) {
      setText(name, words(reason));
      setText(amount, `${amountOf(runs, 'runs')}, ${ratio(runs / Math.max(1, all))}`);
      fill.style.inlineSize = `${(runs / most) * 100}%`;
    },
  };
}
