import { escalationReasons } from '../../src/semconv/vocabulary.ts';

/** What the view `kpi_hourly` has of a KPI, by stem: both sides and the value, and what a further label is taken from. */
export const hourly: Readonly<
  Record<string, readonly [above: string, below: string, value: string, by?: string]>
> = {
  run_success: ['Successes', 'Runs', 'RunSuccessRatio'],
  run_failure: ['Failures', 'Runs', 'RunFailureRatio'],
  run_escalation: ['EscalatedRuns', 'Runs', 'RunEscalationRatio'],
  run_escalation_by_reason: [
    'RunsByEscalationReason[reason]',
    'Runs',
    'numerator / denominator',
    `${JSON.stringify(escalationReasons).replaceAll('"', "'")} AS reason`,
  ],
  run_containment: ['ContainedRuns', 'Runs', 'RunContainmentRatio'],
  run_abandonment: ['AbandonedRuns', 'Runs', 'RunAbandonmentRatio'],
  outcome_evidence: ['EvidencedRuns', 'Runs', 'OutcomeEvidenceRatio'],
  run_duration: [
    'DurationSeconds',
    'Runs',
    'stats.2',
    "[('p50', RunDurationSecondsP50), ('p95', RunDurationSecondsP95), ('p99', RunDurationSecondsP99), ('mean', RunDurationSecondsMean)] AS stats",
  ],
  incidents_per_run: ['Incidents', 'Runs', 'IncidentsPerRun'],
  cost_usd_per_run: ['LlmCostUsd + ToolCostUsd + ReviewCostUsd', 'PricedRuns', 'CostUsdPerRun'],
  cost_usd_per_success: ['LlmCostUsd + ToolCostUsd + ReviewCostUsd', 'PricedSuccesses', 'CostUsdPerSuccess'],
  cost_by_category_usd_per_run: [
    'toFloat64(costs.2)',
    'PricedRuns',
    'numerator / nullIf(denominator, 0)',
    "[('llm', LlmCostUsd), ('tool', ToolCostUsd), ('review', ReviewCostUsd)] AS costs",
  ],
  review_cost_usd_per_run: ['AllReviewCostUsd', 'Runs', 'ReviewCostUsdPerRun'],
  review_seconds_per_run: ['ReviewSeconds', 'Runs', 'ReviewSecondsPerRun'],
  run_unpriced: ['Runs - PricedRuns', 'Runs', 'RunUnpricedRatio'],
  run_unattributed: [
    "sumIf(Runs, AgentName = 'unknown' OR Release = 'unknown')",
    'sum(Runs)',
    'numerator / nullIf(denominator, 0)',
  ],
  quality_score: [
    'QualityScoreRatio[evaluator] * ScoredRuns[evaluator]',
    'ScoredRuns[evaluator]',
    'QualityScoreRatio[evaluator]',
    'mapKeys(ScoredRuns) AS evaluator',
  ],
};
/** Labels by what they are called in `kpi_hourly`. */
export const hourlyLabels: Readonly<Record<string, string>> = {
  agent: 'AgentName',
  release: 'Release',
  environment: 'Environment',
  stat: 'stats.1',
  category: 'costs.1',
};
