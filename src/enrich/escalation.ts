import { TextMemo } from '../otlp/text-memo.ts';
import { ByName } from './by-name.ts';
import type { OwnView } from './own-view.ts';
import {
  controlFlowExceptions,
  controlFlowRule,
  humanTarget,
  humanTools,
  rejectedApproval,
  type ControlFlow,
} from '../semconv/control-flow.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { escalationReasonOf, escalationStateOf, type EscalationReason } from '../semconv/vocabulary.ts';
import type { Finding } from './finding.ts';
import { exceptionType, stackClass, thrownText } from './thrown.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;

/** Rules as they are stamped on a span, in the order in which they are tried. */
const escalationRule = {
  explicit: 'explicit',
  controlFlow: controlFlowRule,
  humanTool: 'human_tool',
  humanHandoff: 'human_handoff',
} as const;

/** Tools that ask a human: those that an operator names, by names as of `ByName`, and those that are known. */
export class HumanTools {
  readonly #askedBy: TextMemo<EscalationReason | ''>;

  constructor(named: Readonly<Record<string, EscalationReason>> = {}) {
    const byName = new ByName(named);
    this.#askedBy = new TextMemo((tool) => {
      const name = tool.toLowerCase();
      return byName.get(tool) ?? humanTools.find((human) => human.name.test(name))?.reason ?? '';
    });
  }

  /** Why a tool with that name asks a human; '' when it does not. */
  reason(tool: string): EscalationReason | '' {
    return this.#askedBy.get(tool);
  }
}

const isHuman = new TextMemo((target) => humanTarget.test(target));

/**
 * Decides whether control passed to a human at this span, before anything decides whether it failed: what frameworks
 * throw to wait for a human is recorded as an error. The first rule that fires wins; a convention's own signal, found
 * with the step, stands between the human tools and the handoffs. A handoff between agents is none.
 */
export function findEscalation(view: OwnView, finding: Finding, asking: HumanTools): void {
  fireFirst(view, finding, asking);
  if (finding.rule === '') finding.rule = finding.stepRule;
  else if (!finding.isControlFlow && view.hasOwn(fields.rule)) {
    finding.keepsRule = true;
    return;
  }
  finding.keepsRule = view.hasOwn(fields.rule) && view.own(fields.rule) === finding.rule;
}

function fireFirst(view: OwnView, finding: Finding, asking: HumanTools): void {
  if (findExplicit(view, finding)) return;
  if (finding.looksFailed && findControlFlow(view, finding)) return;
  const tool = view.string(fields.tool) ?? finding.toolFromSpan;
  const reason = tool === '' ? '' : asking.reason(tool);
  if (reason !== '') finding.escalate(reason, 'requested', escalationRule.humanTool);
  if (finding.rule !== '' || finding.step !== 'handoff') return;
  const target = view.string(fields.handoffTarget) ?? finding.handoffTarget;
  if (isHuman.get(target)) finding.escalate('human_handoff', 'requested', escalationRule.humanHandoff);
}

/** `auto` says that a rule decided and nobody was asked, so it is a state without a reason. */
function findExplicit(view: OwnView, finding: Finding): boolean {
  const reasonText = view.own(fields.escalationReason);
  const stateText = view.own(fields.escalationState);
  if (reasonText === undefined && stateText === undefined) return false;
  const reason = escalationReasonOf(reasonText ?? '');
  const state = escalationStateOf(stateText ?? '');
  if (!reason && !state) return false;
  finding.escalate(reason ?? 'other', state ?? 'requested', escalationRule.explicit);
  finding.isExplicit = true;
  return true;
}

function findControlFlow(view: OwnView, finding: Finding): boolean {
  const said = view.own(fields.rule) === escalationRule.controlFlow;
  const flow = said ? {} : controlFlowOf(view);
  if (!flow) return false;
  finding.isControlFlow = true;
  finding.rule = escalationRule.controlFlow;
  if (flow.escalation)
    finding.escalate(flow.escalation.reason, flow.escalation.state, escalationRule.controlFlow);
  return true;
}

function controlFlowOf(view: OwnView): ControlFlow | undefined {
  const message = thrownText(view);
  const type = exceptionType(view) ?? view.string(fields.senderErrorType) ?? stackClass(message);
  const byType = controlFlowExceptions.get(type.slice(type.lastIndexOf('.') + 1));
  if (byType) return byType;
  if (rejectedApproval.test(message)) return { escalation: { reason: 'approval', state: 'rejected' } };
  // As Python writes an exception: a message that merely begins with such a word is a message.
  const written = /^(?:\w+\.)*(\w+)\(/.exec(message)?.[1];
  return written === undefined ? undefined : controlFlowExceptions.get(written);
}
