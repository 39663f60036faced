import type { EscalationReason, EscalationState } from './vocabulary.ts';

/** Why something that looks like an error is none. Without a reason it is plain control flow, and nobody is asked. */
export interface ControlFlow {
  readonly escalation?: { readonly reason: EscalationReason; readonly state: EscalationState };
}

/** The rule that took an exception out of the failures, stamped on the span. */
export const controlFlowRule = 'control_flow';

const asksForInput: ControlFlow = { escalation: { reason: 'input_request', state: 'requested' } };
const asksForApproval: ControlFlow = { escalation: { reason: 'approval', state: 'requested' } };
const plain: ControlFlow = {};

/**
 * Exceptions that frameworks throw to pause, to hand on or to jump, and that many instrumentations record as errors:
 * LangGraph's bubbling exceptions, Pydantic AI's deferrals, CrewAI's feedback. By unqualified class name.
 */
export const controlFlowExceptions: ReadonlyMap<string, ControlFlow> = new Map([
  ['GraphInterrupt', asksForInput],
  ['NodeInterrupt', asksForInput],
  ['HumanFeedbackPending', asksForInput],
  ['ApprovalRequired', asksForApproval],
  ['GraphBubbleUp', plain],
  ['ParentCommand', plain],
  ['Command', plain],
  ['CallDeferred', plain],
]);

/** Status messages of rejected approvals (OpenAI Agents SDK). */
export const rejectedApproval = /^Tool execution was not approved|manually rejected by user/;

/** Tools that ask a human: names in lower case, or beginnings of names. First match wins. */
export const humanTools: readonly { readonly name: RegExp; readonly reason: EscalationReason }[] = [
  { name: /^(ask_?user|askuserquestion|request_user_input|adk_request_input)$/, reason: 'input_request' },
  { name: /^(adk_request_confirmation|adk_request_credential)$/, reason: 'approval' },
  { name: /^(transfer_to_human|handoff_to_human|escalate)/, reason: 'human_handoff' },
];

/** Tools that pass control to the agent their name ends with (OpenAI Agents SDK, LangGraph, ADK). */
export const handoffTool = /^(?:handoff_to_|transfer_to_)(.+)$/;

/** Google ADK repeats the calls of one turn in a span with this for a tool. */
export const mergedTools = '(merged tools)';

/** Names of handoff targets that are humans: a handoff to anybody else is no escalation. */
export const humanTarget =
  /(?:^|[^a-z])(?:human|person|operator|live[_ -]?agent|representative)(?:[^a-z]|$)/i;

/** Reasons to stop by which a model asks for a tool. */
export const asksForTool: ReadonlySet<string> = new Set([
  'tool-calls',
  'tool_calls',
  'tool_call',
  'tool_use',
]);
