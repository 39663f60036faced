import type { Outcome } from '../semconv/vocabulary.ts';

/** The KPIs that one run can show, as policies name them. */
export type JudgedKpi =
  | 'run_success'
  | 'run_escalation'
  | 'run_containment'
  | 'outcome_evidence'
  | 'run_duration'
  | 'quality_score'
  | 'cost_usd_per_run'
  | 'review_cost_usd_per_run'
  | 'tool_call_success'
  | 'tool_call_attempt_success'
  | 'tool_call_retry';

/** How much one KPI matters, and what is said of it. */
export interface KpiRules {
  readonly kpi: JudgedKpi;
  /** More than 0; together 1. */
  readonly weight: number;
  /** The mean that the objective allows, a share of bad or an amount; undefined where it states none, or a quantile. */
  readonly reference: number | undefined;
  /** The most that it may be whatever other releases do: a share of bad, or an amount. */
  readonly floor: number | undefined;
  /** Whose scores; of quality only. */
  readonly evaluator?: string;
  /** The most that the objective allows, of the mean or of a quantile; of amounts only, which are US dollars of a cost and seconds of a duration. */
  readonly limit?: number;
}

/** What releases of an agent in an environment are judged by. Plain data: a pair of releases keeps those it began with. */
export interface CanaryRules {
  readonly policy: string;
  /** Of the policy. */
  readonly revision: string;
  /** Of the traffic, that the candidate gets; above 0 and below 1. */
  readonly share: number;
  /** What the router keeps together: all runs of one go to the same release. */
  readonly unit: 'run' | 'session' | 'user';
  /** A run that has not ended so long after it was first seen counts as one that never will. */
  readonly deadlineMs: number;
  /** How often evidence is taken. */
  readonly tickMs: number;
  /** Settled units of the candidate before it passes. */
  readonly minRuns: number;
  /** Share of bad: a candidate passes when it is surely not worse by so much. */
  readonly margin: number;
  /** Share of bad: worse by so much is not worse. */
  readonly tolerance: number;
  /** E-values, for a KPI of weight 1. */
  readonly pauseAt: number;
  readonly rollbackAt: number;
  /** How long it may take to decide, while the candidate gets units. */
  readonly maxMs: number;
  readonly onTimeout: 'pause' | 'rollback';
  readonly goodOutcomes: readonly Outcome[];
  readonly kpis: readonly KpiRules[];
}
