import type {
  CostSource,
  EscalationReason,
  EscalationState,
  EvidenceLevel,
  Outcome,
  Result,
  Step,
} from './vocabulary.ts';

/**
 * What one enriched span says, in our words. Implementations are cursors over the wire bytes: a value is valid
 * until the cursor moves, and is read only when asked for.
 */
export interface SpanFacts {
  /** Lower-case hex. */
  readonly traceId: string;
  readonly spanId: string;
  /** Lower-case hex; '' on a root span. */
  readonly parentSpanId: string;
  /** Milliseconds since the epoch, with a fraction. */
  readonly startMs: number;
  readonly endMs: number;
  readonly step: Step;
  /** 'unknown' when nobody says. */
  readonly agent: string;
  /** '' unless the step is a tool call or names one. */
  readonly tool: string;
  /** The explicit run id, else the trace id. */
  readonly runId: string;
  /** '' when nobody says. */
  readonly sessionId: string;
  /** 'unknown' when nobody says. */
  readonly release: string;
  /** 'unknown' when nobody says. */
  readonly environment: string;
  /** Of a tool call; undefined on every other step. */
  readonly result: Result | undefined;
  /** The span failed, after control flow and escalation were taken out. */
  readonly failed: boolean;
  /** '' unless failed. */
  readonly errorType: string;
  /** Of the run, when this span says so explicitly. */
  readonly outcome: Outcome | undefined;
  readonly evidence: EvidenceLevel;
  /** Set when control passed to a human at this span. */
  readonly escalationReason: EscalationReason | undefined;
  readonly escalationState: EscalationState | undefined;
  /** US dollars; undefined when this span has no cost of its own or it is unpriced. */
  readonly costUsd: number | undefined;
  readonly costSource: CostSource | undefined;
  /** Including cached tokens; undefined when not said. */
  readonly inputTokens: number | undefined;
  /** Including reasoning tokens; undefined when not said. */
  readonly outputTokens: number | undefined;
}
