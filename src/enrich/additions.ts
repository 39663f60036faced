import { AttributeKey, type Attributes } from '../otlp/attributes.ts';
import type { OwnView } from './own-view.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { limitCount, policyRevisionKey } from '../semconv/plimsoll.ts';
import { unknown } from '../semconv/vocabulary.ts';
import type { Finding } from './finding.ts';
import { hasAgentName } from './semantics.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;

const step = new AttributeKey('plimsoll.step');
const tool = new AttributeKey('plimsoll.tool');
const result = new AttributeKey('plimsoll.result');
const errorType = new AttributeKey('plimsoll.error.type');
const reason = new AttributeKey('plimsoll.escalation.reason');
const state = new AttributeKey('plimsoll.escalation.state');
const waitMs = new AttributeKey('plimsoll.escalation.wait_ms');
const source = new AttributeKey('plimsoll.escalation.source');
const rule = new AttributeKey('plimsoll.rule');
const handoffTarget = new AttributeKey('plimsoll.handoff.target');
const agent = new AttributeKey('plimsoll.agent');
const unnamedAgent = agent.term(unknown);
const evidence = new AttributeKey('plimsoll.run.evidence');
const inputTokens = new AttributeKey('plimsoll.usage.input_tokens');
const outputTokens = new AttributeKey('plimsoll.usage.output_tokens');
const costUsd = new AttributeKey('plimsoll.cost.usd');
const costSource = new AttributeKey('plimsoll.cost.source');
const prices = new AttributeKey('plimsoll.cost.prices');
const policyRevision = new AttributeKey(policyRevisionKey);

/** The revision of the policy that covers an agent in an environment; '' where none does. Asked of every span, so it is quick. */
export type PolicyRevisionOf = (agent: string, environment: string) => string;

/** What an OpenTelemetry SDK calls a service that nobody named; the program's name may follow. */
const unnamedService = 'unknown_service';

/**
 * Appends what was found and no attribute says yet. What readers take for granted is not written: the step `other`,
 * and whatever a convention's key already says.
 */
export function appendFinding(view: OwnView, finding: Finding, attributes: Attributes): void {
  if (finding.step !== 'other' && !view.hasOwn(fields.step)) attributes.append(step.term(finding.step));
  if (finding.agentFromSpan !== '') attributes.append(agent.term(finding.agentFromSpan));
  else if (isUnnamed(view)) attributes.append(unnamedAgent);
  if (finding.toolFromSpan !== '') attributes.append(tool.term(finding.toolFromSpan));
  if (finding.step === 'handoff' && finding.handoffTarget !== '')
    attributes.append(handoffTarget.term(finding.handoffTarget));
  if (finding.result !== '' && !view.hasOwn(fields.result)) attributes.append(result.term(finding.result));
  if (finding.errorType !== '' && !view.hasOwn(fields.errorType))
    attributes.append(errorType.term(finding.errorType));
  if (finding.state !== '') appendEscalation(view, finding, attributes);
  if (finding.rule !== '' && !finding.keepsRule) attributes.append(rule.term(finding.rule));
  if (view.hasOwn(fields.outcome) && !view.hasOwn(fields.evidence)) attributes.append(evidence.term('app'));
  if (finding.costSource !== '') appendCost(view, finding, attributes);
}

/**
 * Appends the revision of the policy that covers the span by what the span itself says: its agent, as the column
 * AgentName has it, and its environment. A span whose agent nobody names has no policy. What is appended last stays last
 * when a span is enriched again.
 */
export function appendPolicy(
  view: OwnView,
  finding: Finding,
  revisionOf: PolicyRevisionOf,
  attributes: Attributes,
): void {
  const name = agentOf(view, finding);
  if (name === unknown) return;
  const revision = revisionOf(name, view.string(fields.environment) ?? unknown);
  if (revision !== '') attributes.append(policyRevision.term(revision));
}

/** Whose span it is, as everybody reads it once what was found is appended; `unknown` where nobody says. */
export function agentOf(view: OwnView, { agentFromSpan }: Finding): string {
  if (agentFromSpan !== '') return agentFromSpan;
  const name = view.string(fields.agent) || unknown;
  return name.startsWith(unnamedService) && isUnnamed(view) ? unknown : name;
}

function isUnnamed(view: OwnView): boolean {
  if (!view.has(fields.agent) || hasAgentName(view)) return false;
  return view.string(fields.agent)?.startsWith(unnamedService) ?? true;
}

function appendEscalation(view: OwnView, finding: Finding, attributes: Attributes): void {
  if (finding.reason !== '' && !view.hasOwn(fields.escalationReason))
    attributes.append(reason.term(finding.reason));
  if (!view.hasOwn(fields.escalationState)) attributes.append(state.term(finding.state));
  const isLog = view.hasOwn(fields.log);
  if (!view.hasOwn(fields.escalationSource)) {
    const seenIn = isLog ? 'log' : 'span';
    attributes.append(source.term(finding.isExplicit ? 'explicit' : seenIn));
  }
  // A span that is nothing but the question and its answer lasts as long as the human was waited for; a log record does not.
  const isWait = finding.step === 'review' && finding.state !== 'auto' && !isLog;
  if (!isWait || view.hasOwn(fields.escalationWaitMs)) return;
  const waitedMs = view.endMs - view.startMs;
  if (waitedMs >= 0 && waitedMs <= limitCount) attributes.int(waitMs, Math.round(waitedMs));
}

/** Our own keys are the first sources of the counts; a count said with them stands. */
function appendCost(view: OwnView, finding: Finding, attributes: Attributes): void {
  if (finding.inputTokens !== undefined && view.source(fields.inputTokens) !== 0) {
    attributes.int(inputTokens, Math.round(finding.inputTokens));
  }
  if (finding.outputTokens !== undefined && view.source(fields.outputTokens) !== 0) {
    attributes.int(outputTokens, Math.round(finding.outputTokens));
  }
  if (finding.costUsd !== undefined) attributes.double(costUsd, finding.costUsd);
  if (!view.hasOwn(fields.costSource)) attributes.append(costSource.term(finding.costSource));
  if (finding.priceRevision !== '' && !view.hasOwn(fields.priceRevision))
    attributes.append(prices.term(finding.priceRevision));
}
