import type { TypedColumn } from '../otlp/native-typed.ts';
import { positionColumns, spanColumns, type Column } from '../otlp/row-columns.ts';
import { fields } from '../semconv/fields.ts';
import { unknown } from '../semconv/vocabulary.ts';

const text = 'LowCardinality(String)';
const tokens = 'Nullable(UInt64)';

/**
 * What a span says in our words, as columns of their own. Tokens and cost that nobody said are NULL, which is not 0.
 * A run without an id of its own is its trace.
 */
export const typedColumns = [
  { name: 'Step', type: text, field: fields.step, missing: 'other' },
  { name: 'AgentName', type: text, field: fields.agent, missing: unknown },
  { name: 'ToolName', type: text, field: fields.tool, missing: '' },
  { name: 'RunId', type: 'String', field: fields.runId, missing: 'trace id' },
  { name: 'SessionId', type: 'String', field: fields.sessionId, missing: '' },
  { name: 'Release', type: text, field: fields.release, missing: unknown },
  { name: 'Environment', type: text, field: fields.environment, missing: unknown },
  { name: 'Result', type: text, field: fields.result, missing: '' },
  { name: 'Outcome', type: text, field: fields.outcome, missing: '' },
  { name: 'Evidence', type: text, field: fields.evidence, missing: 'none' },
  { name: 'ErrorType', type: text, field: fields.errorType, missing: '' },
  { name: 'Escalated', type: 'Bool', field: fields.escalationReason },
  { name: 'EscalationReason', type: text, field: fields.escalationReason, missing: '' },
  { name: 'EscalationState', type: text, field: fields.escalationState, missing: '' },
  { name: 'Provider', type: text, field: fields.provider, missing: '' },
  { name: 'Model', type: text, field: fields.model, missing: '' },
  { name: 'InputTokens', type: tokens, field: fields.inputTokens },
  { name: 'OutputTokens', type: tokens, field: fields.outputTokens },
  { name: 'CacheReadTokens', type: tokens, field: fields.cacheReadTokens },
  { name: 'CacheWriteTokens', type: tokens, field: fields.cacheWriteTokens },
  { name: 'ReasoningTokens', type: tokens, field: fields.reasoningTokens },
  { name: 'CostUsd', type: 'Nullable(Decimal(18, 9))', field: fields.costUsd },
  { name: 'CostSource', type: text, field: fields.costSource, missing: '' },
  { name: 'PolicyRevision', type: text, field: fields.policyRevision, missing: '' },
  { name: 'Rule', type: text, field: fields.rule, missing: '' },
] as const satisfies readonly TypedColumn[];

/** The columns of `otel_traces` in table order: the Collector exporter's, ours, and where the row came from. */
export const traceColumns: readonly Column[] = [...spanColumns, ...typedColumns, ...positionColumns];
