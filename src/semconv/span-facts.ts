import type {
  CostSource,
  EscalationReason,
  EscalationState,
  EvidenceLevel,
  LogOrigin,
  Outcome,
  Result,
  Step,
} from './vocabulary.ts';

/** The ids of a span as 32-bit words, little-endian as they stand on the wire: finding them needs no text. Reused. */
export class SpanIds {
  trace0 = 0;
  trace1 = 0;
  trace2 = 0;
  trace3 = 0;
  span0 = 0;
  span1 = 0;
  /** Both 0 on a root span. */
  parent0 = 0;
  parent1 = 0;
  /** The explicit run id; '' when the trace is the run. */
  run = '';
}

/**
 * What one enriched span says, in our words. Implementations are cursors over the wire bytes: a value is valid
 * until the cursor moves, and is read only when asked for.
 */
export interface SpanFacts {
  /** Overwrites all of `ids` with those of the span. */
  readIds(ids: SpanIds): void;
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
  /** Whether `agent` is somebody's word for the agent, and not the name of the service that it is part of. */
  readonly namesAgent: boolean;
  /** '' unless the step is a tool call or names one. */
  readonly tool: string;
  /** Names a tool call across the spans that tell of it; '' when nobody says. */
  readonly toolCallId: string;
  /** 1 is the first attempt of a tool call, and what nobody counts. */
  readonly attempt: number;
  /** 32 bits that are equal for equal arguments of a tool call; 0 when nothing is known of them. */
  readonly argumentsPrint: number;
  /** The explicit run id, else the trace id. */
  readonly runId: string;
  /** '' when nobody says. */
  readonly sessionId: string;
  /** Who used the agent: a keyed hash, unless raw ids are kept; '' when nobody says. */
  readonly userId: string;
  /** '' when nobody says. */
  readonly taskType: string;
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
  /** A model call that ended by asking for a tool. */
  readonly asksForTool: boolean;
  /** US dollars; undefined when this span has no cost of its own or it is unpriced. */
  readonly costUsd: number | undefined;
  readonly costSource: CostSource | undefined;
  /** How long a human worked on a review that is done: as stated, else as long as its span, an hour at most; undefined on every other span. */
  readonly reviewSeconds: number | undefined;
  /** Including cached tokens; undefined when not said. */
  readonly inputTokens: number | undefined;
  /** Including reasoning tokens; undefined when not said. */
  readonly outputTokens: number | undefined;
  /** Set on a span that was made of a log record; where there are spans, too, it repeats what they say. */
  readonly log: LogOrigin | undefined;
  /** By evaluator, in [0, 1]. Always the same empty map where nobody says any. */
  readonly scores: ReadonlyMap<string, number>;
}

/** What a span without scores has. */
export const noScores: ReadonlyMap<string, number> = new Map();
