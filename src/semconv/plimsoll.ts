import type { Place } from './convention.ts';
import type { FieldName } from './fields.ts';
import {
  costSources,
  escalationReasons,
  escalationSources,
  escalationStates,
  evidenceLevels,
  logOrigins,
  outcomes,
  results,
  steps,
} from './vocabulary.ts';

/** Every key we own begins with this; one that is not listed here is removed. */
export const ownPrefix = 'plimsoll.';

/** The longest text value of ours, in bytes of UTF-8: longer ones are no names. */
export const limitTextBytes = 256;

/** The largest cost of one span: what the column of costs, a Decimal(18, 9), can hold. */
export const limitUsd = 999_999_999;

/** The largest count, of tokens and everything else: beyond it a sender is mistaken. */
export const limitCount = 1e12;

/** Which values a key of ours may have; any other is removed, and derived anew where that is possible. */
type ValueRule =
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  /** Not empty and at most `maxBytes` of UTF-8. */
  | { readonly kind: 'string'; readonly maxBytes: number };

/** A key of ours, the field it says, and the values it may have. */
export interface OwnKey {
  readonly key: string;
  readonly field: FieldName;
  readonly places: readonly Place[];
  readonly rule: ValueRule;
}

const span: readonly Place[] = ['span'];
/** A span may differ from its process, so it speaks first. */
const anywhere: readonly Place[] = ['span', 'resource'];
const text: ValueRule = { kind: 'string', maxBytes: limitTextBytes };
const number = (min: number, max: number): ValueRule => ({ kind: 'number', min, max });
const oneOf = (values: readonly string[]): ValueRule => ({ kind: 'enum', values });

/** The revision of the policy that covers a span: enrichment alone says it, and what a sender says is removed as a foreign key. */
export const policyRevisionKey = 'plimsoll.policy.revision';

/** The closed list of keys that a sender may set and enrichment may add. */
export const ownKeys: readonly OwnKey[] = [
  { key: 'plimsoll.step', field: 'step', places: span, rule: oneOf(steps) },
  { key: 'plimsoll.agent', field: 'agent', places: anywhere, rule: text },
  { key: 'plimsoll.tool', field: 'tool', places: span, rule: text },
  { key: 'plimsoll.tool.call_id', field: 'toolCallId', places: span, rule: text },
  { key: 'plimsoll.run.id', field: 'runId', places: anywhere, rule: text },
  { key: 'plimsoll.session.id', field: 'sessionId', places: anywhere, rule: text },
  { key: 'plimsoll.release', field: 'release', places: anywhere, rule: text },
  { key: 'plimsoll.environment', field: 'environment', places: anywhere, rule: text },
  { key: 'plimsoll.result', field: 'result', places: span, rule: oneOf(results) },
  { key: 'plimsoll.run.outcome', field: 'outcome', places: span, rule: oneOf(outcomes) },
  { key: 'plimsoll.run.evidence', field: 'evidence', places: span, rule: oneOf(evidenceLevels) },
  { key: 'plimsoll.error.type', field: 'errorType', places: span, rule: text },
  {
    key: 'plimsoll.escalation.reason',
    field: 'escalationReason',
    places: span,
    rule: oneOf(escalationReasons),
  },
  { key: 'plimsoll.escalation.state', field: 'escalationState', places: span, rule: oneOf(escalationStates) },
  {
    key: 'plimsoll.escalation.source',
    field: 'escalationSource',
    places: span,
    rule: oneOf(escalationSources),
  },
  {
    key: 'plimsoll.escalation.wait_ms',
    field: 'escalationWaitMs',
    places: span,
    rule: number(0, limitCount),
  },
  { key: 'plimsoll.handoff.target', field: 'handoffTarget', places: span, rule: text },
  { key: 'plimsoll.user.id', field: 'userId', places: anywhere, rule: text },
  { key: 'plimsoll.rule', field: 'rule', places: span, rule: text },
  { key: 'plimsoll.usage.input_tokens', field: 'inputTokens', places: span, rule: number(0, limitCount) },
  { key: 'plimsoll.usage.output_tokens', field: 'outputTokens', places: span, rule: number(0, limitCount) },
  { key: 'plimsoll.cost.usd', field: 'costUsd', places: span, rule: number(0, limitUsd) },
  { key: 'plimsoll.cost.source', field: 'costSource', places: span, rule: oneOf(costSources) },
  { key: 'plimsoll.cost.prices', field: 'priceRevision', places: span, rule: text },
  { key: 'plimsoll.attempt', field: 'attempt', places: span, rule: number(1, limitCount) },
  { key: 'plimsoll.task.type', field: 'taskType', places: anywhere, rule: text },
  { key: 'plimsoll.review.seconds', field: 'reviewSeconds', places: span, rule: number(0, limitCount) },
  { key: 'plimsoll.log', field: 'log', places: span, rule: oneOf(logOrigins) },
  { key: 'plimsoll.reviewer.role', field: 'reviewerRole', places: span, rule: text },
];

/** This and the name of an evaluator say what it found of the run, in [0, 1]. */
export const scorePrefix = 'plimsoll.score.';

/** The longest name of an evaluator, in bytes of UTF-8, and how many of them a span, and a run, may have. */
export const limitEvaluatorBytes = 64;
export const limitEvaluators = 16;

/** What is left of content: this and the content's name say how many bytes of it the span had. */
export const contentSizePrefix = 'plimsoll.content_size.';

/** As the size, but a keyed hash of the content. */
export const contentHashPrefix = 'plimsoll.content_hash.';

/** The name of a span's status message as content. */
export const statusMessage = 'status.message';
