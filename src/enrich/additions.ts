import { AttributeKey, type Attributes } from '../otlp/attributes.ts';
import type { OwnView } from './own-view.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { keyTableSpec } from '../semconv/tables.ts';
import { unknown } from '../semconv/vocabulary.ts';
import type { Finding } from './finding.ts';
import { priceRevision } from './prices.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;

const unnamedAgent = new AttributeKey('plimsoll.agent').term(unknown);
const step = new AttributeKey('plimsoll.step');
const tool = new AttributeKey('plimsoll.tool');
const result = new AttributeKey('plimsoll.result');
const errorType = new AttributeKey('plimsoll.error.type');
const reason = new AttributeKey('plimsoll.escalation.reason');
const state = new AttributeKey('plimsoll.escalation.state');
const rule = new AttributeKey('plimsoll.rule');
const evidence = new AttributeKey('plimsoll.run.evidence');
const inputTokens = new AttributeKey('plimsoll.usage.input_tokens');
const outputTokens = new AttributeKey('plimsoll.usage.output_tokens');
const costUsd = new AttributeKey('plimsoll.cost.usd');
const costSource = new AttributeKey('plimsoll.cost.source');
const prices = new AttributeKey('plimsoll.cost.prices').term(priceRevision);

/** The rank of the service's name among the sources of the agent. */
const serviceName = keyTableSpec.sources
  .filter(({ field }) => field === fields.agent)
  .findIndex(({ key }) => key === 'service.name');

/** What an OpenTelemetry SDK calls a service that nobody named; the program's name may follow. */
const unnamedService = 'unknown_service';

/**
 * Appends what was found and no attribute says yet. What readers take for granted is not written: the step `other`,
 * and whatever a convention's key already says.
 */
export function appendFinding(view: OwnView, finding: Finding, attributes: Attributes): void {
  if (finding.step !== 'other' && !view.hasOwn(fields.step)) attributes.append(step.term(finding.step));
  if (isUnnamed(view)) attributes.append(unnamedAgent);
  if (finding.toolFromName !== '') attributes.string(tool, finding.toolFromName);
  if (finding.result !== '' && !view.hasOwn(fields.result)) attributes.append(result.term(finding.result));
  if (finding.errorType !== '' && !view.hasOwn(fields.errorType))
    attributes.append(errorType.term(finding.errorType));
  if (finding.rule !== '') appendEscalation(view, finding, attributes);
  if (view.hasOwn(fields.outcome) && !view.hasOwn(fields.evidence)) attributes.append(evidence.term('app'));
  if (finding.costSource !== '') appendCost(view, finding, attributes);
}

function isUnnamed(view: OwnView): boolean {
  if (view.source(fields.agent) !== serviceName) return false;
  return view.string(fields.agent)?.startsWith(unnamedService) ?? true;
}

function appendEscalation(view: OwnView, finding: Finding, attributes: Attributes): void {
  if (finding.reason !== '' && !view.hasOwn(fields.escalationReason))
    attributes.append(reason.term(finding.reason));
  if (finding.state !== '' && !view.hasOwn(fields.escalationState))
    attributes.append(state.term(finding.state));
  if (!finding.keepsRule) attributes.append(rule.term(finding.rule));
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
  if (finding.costSource === 'computed' && !view.hasOwn(fields.priceRevision)) attributes.append(prices);
}
