import type { EvidenceLevel, Outcome, Result } from '../semconv/vocabulary.ts';
import type { CanaryRules, JudgedKpi, KpiRules } from './canary-rules.ts';

/** What the judge wants to know of a run that ended; `FinishedRun` has it. */
export interface RunResult {
  readonly outcome: Outcome;
  readonly evidence: EvidenceLevel;
  readonly escalationReason: string | undefined;
  readonly toolCalls: Readonly<Record<Result, number>> & { readonly attempts: number };
  readonly costUsd: { readonly llm: number; readonly tool: number; readonly review: number };
  readonly scores: ReadonlyMap<string, number>;
  /** In milliseconds since the epoch, by the clocks of whoever ran it. */
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * What a run or a unit shows, for each KPI of the rules in their order: a share of bad, 0 to 1, or an amount:
 * US dollars of a cost, seconds of a duration.
 * NaN where it shows nothing, as of quality until it has a score.
 */
export type Figures = readonly number[];

/** How KPIs that are good shares are told as bad ones. A run of unknown price shows what of its cost is known. */
const figures: Readonly<Record<JudgedKpi, (run: RunResult, rules: CanaryRules, kpi: KpiRules) => number>> = {
  run_success: ({ outcome }, { goodOutcomes }) => Number(!goodOutcomes.includes(outcome)),
  run_escalation: ({ escalationReason }) => Number(escalationReason !== undefined),
  run_containment: ({ escalationReason, outcome }) =>
    Number(escalationReason !== undefined || outcome === 'abandoned'),
  outcome_evidence: ({ evidence }) => Number(evidence === 'none'),
  run_duration: ({ startMs, endMs }) => Math.max(0, endMs - startMs) / 1000,
  quality_score: ({ scores }, _, { evaluator = '' }) => 1 - (scores.get(evaluator) ?? Number.NaN),
  cost_usd_per_run: ({ costUsd }) => costUsd.llm + costUsd.tool + costUsd.review,
  review_cost_usd_per_run: ({ costUsd }) => costUsd.review,
  tool_call_success: ({ toolCalls }) => share(toolCalls.error, toolCalls.ok + toolCalls.error),
  tool_call_attempt_success: ({ toolCalls: { ok, rejected, cancelled, attempts } }) => {
    const ran = attempts - rejected - cancelled;
    return share(ran - ok, ran);
  },
  // A run tells how many attempts its calls took together, not which calls took several.
  tool_call_retry: ({ toolCalls: { ok, error, rejected, cancelled, attempts } }) =>
    share(attempts - ok - error - rejected - cancelled, ok + error),
};

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
}

/** Whether the KPI is an amount, of money or of time, which is judged up to a cap. */
export function isAmount(kpi: JudgedKpi): boolean {
  return kpi === 'cost_usd_per_run' || kpi === 'review_cost_usd_per_run' || kpi === 'run_duration';
}

/** Whether units show the KPI only once an evaluator has spoken, often after their end. */
export function isScoredLater(kpi: JudgedKpi): boolean {
  return kpi === 'quality_score';
}

/** What `run` shows; undefined when a number in it is none: it cannot be judged. */
export function figuresOf(rules: CanaryRules, run: RunResult): Figures | undefined {
  const shown = rules.kpis.map((kpi) => figures[kpi.kpi](run, rules, kpi));
  const isSound = shown.every((figure, i) =>
    Number.isNaN(figure) ? isScoredLater(rules.kpis[i]!.kpi) : figure >= 0 && Number.isFinite(figure),
  );
  return isSound ? shown : undefined;
}

/** What a run shows that has not ended by its deadline: it failed, took as long, and nothing else is known to be bad. */
export function figuresAtDeadline(rules: CanaryRules): Figures {
  return rules.kpis.map(({ kpi }) => {
    if (isScoredLater(kpi)) return Number.NaN;
    if (kpi === 'run_duration') return rules.deadlineMs / 1000;
    return Number(kpi === 'run_success');
  });
}
