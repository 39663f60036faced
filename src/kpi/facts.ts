import type { EscalationReason, EvidenceLevel, Outcome, Result, Severity } from '../semconv/vocabulary.ts';

/** What the KPIs need to know of a finished run. Times are milliseconds since the epoch. */
export interface KpiRun {
  /** Lower-case hex: an exemplar of what is counted. */
  readonly traceId: string;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly startMs: number;
  readonly endMs: number;
  /** The event time at which windows count the run. */
  readonly closedMs: number;
  readonly outcome: Outcome;
  readonly evidence: EvidenceLevel;
  readonly escalationReason: EscalationReason | undefined;
  /** How often a human was asked, by reason and, within it, resolution, in the order of the vocabulary; an empty list for never. */
  readonly escalationRequests: readonly number[];
  /** The most that they ever were, by reason; likewise. */
  readonly peakRequests: readonly number[];
  /** US dollars. */
  readonly costUsd: { readonly llm: number; readonly tool: number; readonly review: number };
  /** The most that each ever was. */
  readonly peakUsd: KpiRun['costUsd'];
  /** False when part of the cost is unknown. */
  readonly priced: boolean;
  /** How long humans worked on it. */
  readonly reviewSeconds: number;
  /** In [0, 1], by evaluator. */
  readonly scores: ReadonlyMap<string, number>;
  /** How far its end lay behind the newest event of its partition when it arrived. */
  readonly behindMs: number;
  /** Where the KPIs count the run; they set it, and need it again when the run is revised. */
  place?: unknown;
}

/** What the KPIs need to know of a tool call that ended. */
export interface KpiToolCall {
  /** Lower-case hex: an exemplar of what is counted. */
  readonly traceId: string;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly tool: string;
  /** Of the last attempt; those before it failed. */
  readonly result: Result;
  /** From 1 on. */
  readonly attempts: number;
  readonly endMs: number;
  readonly durationMs: number;
  /** How far its end lay behind the newest event of its partition when it arrived. */
  readonly behindMs: number;
}

/** What one evaluator found of a finished run, in [0, 1]. */
export interface KpiScore {
  readonly evaluator: string;
  readonly score: number;
}

/** What the KPIs need to know of an incident that opened. */
export interface KpiIncident {
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly severity: Severity;
  /** When it opened, in milliseconds since the epoch. */
  readonly timeMs: number;
}
