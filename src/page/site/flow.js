/** @import { FlowStage, LiveView } from '../live-view.ts' */
import { element, list, setAttribute, setText } from './element.js';
import { amountOf, rate, shortCount } from './figures.js';

/** Stages that only bad input or trouble comes to: nothing there is well. */
const isSide = (/** @type {FlowStage} */ { stage }) => stage === 'refused' || stage === 'dead letters';

/**
 * The hops of the pipeline in this process, and, in words, what does not flow.
 * @param {HTMLElement} root
 * @param {HTMLElement} summary
 * @returns {(view: LiveView) => void}
 */
export function flow(root, summary) {
  const show = list(root, (/** @type {FlowStage} */ { stage }) => stage, stagePart);
  return (view) => {
    const faults = view.flow
      .filter(({ fault }) => fault !== null)
      .map(({ stage, fault }) => `${stage}: ${fault}`);
    setText(summary, faults.length === 0 ? 'Everything flows.' : `Does not flow: ${faults.join('; ')}.`);
    setAttribute(summary, 'data-look', faults.length === 0 ? 'good' : 'bad');
    show(view.flow.toSorted((one, other) => Number(isSide(one)) - Number(isSide(other))));
  };
}

function stagePart() {
  const [name, speed, about] = [
    element('h3'),
    element('p', { class: 'value' }),
    element('p', { class: 'about' }),
  ];
  const fault = element('p', { class: 'fault' });
  const node = element('li', {}, name, speed, about, fault);
  return {
    node,
    show(/** @type {FlowStage} */ stage) {
      setText(name, stage.stage);
      setText(speed, rate(stage.perSecond));
      setText(about, `${shortCount(stage.total)} in all${backlogText(stage)}`);
      setText(fault, stage.fault ?? '');
      fault.hidden = stage.fault === null;
      node.classList.toggle('side', isSide(stage));
      node.classList.toggle('alarm', stage.fault !== null || (isSide(stage) && stage.perSecond > 0));
    },
  };
}

/** @param {FlowStage} stage */
function backlogText({ backlog }) {
  if (!backlog) return '';
  if (backlog.amount === 0) return ', nothing waits';
  return `, ${amountOf(backlog.amount, backlog.unit)} ${backlog.amount === 1 ? 'waits' : 'wait'}`;
}
