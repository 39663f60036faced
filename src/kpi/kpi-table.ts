import { escalationReasons, outcomes } from '../semconv/vocabulary.ts';
import type { runSums, scoreSums, toolSums } from './kpi-sums.ts';

/** One side of a KPI: the sums that are added up. */
export interface Amount<Name extends string> {
  readonly words: string;
  /** One for each of `outcomes`, in their order, where only those count that the policy calls good. */
  readonly sums: readonly Name[];
  readonly only?: 'good outcomes';
  /** Over the rows in ClickHouse, where it is shorter than that of the sums. */
  readonly sql?: string;
}

/** A KPI over rolling windows: one amount divided by another. A new KPI is a new row. */
export interface Kpi<Name extends string> {
  /** The gauge is `stem + suffix`; the two amounts are `stem_numerator` and `stem_denominator`. */
  readonly stem: string;
  readonly suffix: string;
  readonly unit: 'ratio' | 'USD' | 'seconds' | 'incidents';
  /** What it tells, in one sentence. */
  readonly help: string;
  /** `belowTarget`: scores that are less than the policy wants of their evaluator; without a target there is no gauge. */
  readonly numerator: Amount<Name> | { readonly words: string; readonly belowTarget: true };
  readonly denominator: Amount<Name>;
  /** One gauge for each value of a label, with the sum that is then the numerator. */
  readonly by?: { readonly label: string; readonly sums: Readonly<Record<string, Name>> };
  /** Quantiles by the value of the label `stat`, where the quotient is `mean`. */
  readonly stats?: Readonly<Record<string, number>>;
  /** One gauge for an environment as a whole, not one for each release. */
  readonly whole?: 'environment';
}

/** The most gauges of one name that one KPI of `kpis` has for one series and window. */
export function widthOf(kpis: readonly Kpi<string>[]): number {
  const widths = kpis.map(({ by, stats }) => Object.keys(by?.sums ?? stats ?? {}).length + Number(!by));
  return Math.max(...widths);
}

type RunSum = keyof typeof runSums;

const finished: Amount<RunSum> = { words: 'finished runs', sums: outcomes, sql: 'count()' };
const pricedRuns = outcomes.map((outcome) => `priced_${outcome}` as const);
const priced: Amount<RunSum> = {
  words: 'finished runs of known price',
  sums: pricedRuns,
  sql: 'countIf(Priced)',
};
const cost: Amount<RunSum> = {
  words: 'cost of models, tools and review of finished runs of known price',
  sums: ['llm', 'tool', 'review'],
  sql: 'toFloat64(sumIf(CostUsd, Priced))',
};
const reasons = escalationReasons.map((reason) => [reason, `escalated_${reason}`] as const);
const durationStats = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

/** KPIs of one release of an agent in an environment. */
export const runKpis: readonly Kpi<RunSum>[] = [
  {
    stem: 'plimsoll_kpi_run_success',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs that ended well: which outcomes are good says the policy, else success and completed.',
    numerator: { words: 'those with a good outcome', sums: outcomes, only: 'good outcomes' },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_run_failure',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs that failed (outcome failure).',
    numerator: { words: 'those with the outcome failure', sums: ['failure'] },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_run_escalation',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs in which control passed to a human at least once.',
    numerator: {
      words: 'those in which control passed to a human, once however often',
      sums: reasons.map(([, sum]) => sum),
      sql: 'countIf(Escalated)',
    },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_run_escalation_by_reason',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs in which control passed to a human, by the reason of the first time, other where none is said.',
    numerator: { words: 'those in which control first passed to a human for the reason', sums: [] },
    denominator: finished,
    by: { label: 'reason', sums: Object.fromEntries(reasons) },
  },
  {
    stem: 'plimsoll_kpi_run_containment',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs in which no human was needed and which nobody gave up.',
    numerator: { words: 'those without an escalation that were not abandoned', sums: ['contained'] },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_run_abandonment',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs that somebody gave up (outcome abandoned).',
    numerator: { words: 'those with the outcome abandoned', sums: ['abandoned'] },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_outcome_evidence',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs whose outcome somebody confirmed (evidence other than none).',
    numerator: { words: 'those with evidence other than none', sums: ['evidenced'] },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_run_duration',
    suffix: '_seconds',
    unit: 'seconds',
    help: 'Time from the first span of a run to its end: quantiles within 1 %, and the mean.',
    numerator: { words: 'sum of the durations of finished runs', sums: ['seconds'] },
    denominator: finished,
    stats: durationStats,
  },
  {
    stem: 'plimsoll_kpi_incidents_per_run',
    suffix: '',
    unit: 'incidents',
    help: 'Incidents that opened, per finished run.',
    numerator: {
      words:
        'incidents that opened, by the time they did; a request to approve a rollback is one here, in no report',
      sums: ['incidents'],
      sql: 'countIf(IsIncident)',
    },
    denominator: { ...finished, sql: 'countIf(NOT IsIncident)' },
  },
  {
    stem: 'plimsoll_kpi_cost_usd_per_run',
    suffix: '',
    unit: 'USD',
    help: 'Cost of models, tools and review per finished run, in US dollars; runs of unknown price left out.',
    numerator: cost,
    denominator: priced,
  },
  {
    stem: 'plimsoll_kpi_cost_usd_per_success',
    suffix: '',
    unit: 'USD',
    help: 'Cost of all finished runs, the failed ones too, per run that ended well, in US dollars; runs of unknown price left out.',
    numerator: cost,
    denominator: { words: 'those of them with a good outcome', sums: pricedRuns, only: 'good outcomes' },
  },
  {
    stem: 'plimsoll_kpi_cost_by_category_usd_per_run',
    suffix: '',
    unit: 'USD',
    help: 'Cost per finished run by what it was spent on, in US dollars; runs of unknown price left out.',
    numerator: { words: 'cost of the category of finished runs of known price', sums: [] },
    denominator: priced,
    by: { label: 'category', sums: { llm: 'llm', tool: 'tool', review: 'review' } },
  },
  {
    stem: 'plimsoll_kpi_review_cost_usd_per_run',
    suffix: '',
    unit: 'USD',
    help: 'Cost of human review per finished run, in US dollars.',
    numerator: { words: 'cost of review, also of runs of otherwise unknown price', sums: ['allReview'] },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_review_seconds_per_run',
    suffix: '',
    unit: 'seconds',
    help: 'How long humans worked on a finished run, in seconds.',
    numerator: { words: 'time that humans worked on finished runs', sums: ['reviewSeconds'] },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_run_unpriced',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs of unknown price, which are in no cost.',
    numerator: { words: 'those with a call of unknown price', sums: ['unpriced'] },
    denominator: finished,
  },
  {
    stem: 'plimsoll_kpi_run_unattributed',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of the finished runs of an environment of which nobody says which agent or which release they were of.',
    numerator: { words: 'those whose agent or release is unknown', sums: ['unattributed'] },
    denominator: finished,
    whole: 'environment',
  },
];

/** KPIs of one evaluator of a release. */
export const scoreKpis: readonly Kpi<keyof typeof scoreSums>[] = [
  {
    stem: 'plimsoll_kpi_quality_score',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Mean of what an evaluator found of finished runs, 0 to 1; runs without its word are on neither side.',
    numerator: { words: 'sum of the scores', sums: ['score'] },
    denominator: { words: 'finished runs that the evaluator scored', sums: ['scored'] },
  },
  {
    stem: 'plimsoll_kpi_quality_below_target',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of scored runs whose score is below what the policy wants of the evaluator; absent without a target.',
    numerator: {
      words: 'those with a score below the target, which counts in steps of 0.001',
      belowTarget: true,
    },
    denominator: { words: 'finished runs that the evaluator scored', sums: ['scored'] },
  },
];

const ran = { words: 'calls that were not rejected by a human or cancelled', sums: ['called'] } as const;

/** KPIs of one tool of a release. */
export const toolKpis: readonly Kpi<keyof typeof toolSums>[] = [
  {
    stem: 'plimsoll_kpi_tool_call_success',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of tool calls that did not fail; calls rejected by a human or cancelled are on neither side.',
    numerator: { words: 'those whose last attempt did not fail', sums: ['ok'] },
    denominator: ran,
  },
  {
    stem: 'plimsoll_kpi_tool_call_attempt_success',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of attempts at tool calls that did not fail; refused and cancelled ones are on neither side.',
    numerator: { words: 'those that did not fail', sums: ['ok'] },
    denominator: { words: 'attempts that were not rejected or cancelled', sums: ['attempted'] },
  },
  {
    stem: 'plimsoll_kpi_tool_call_retry',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of tool calls that were made more than once; calls rejected by a human or cancelled are on neither side.',
    numerator: { words: 'those with more than one attempt', sums: ['retried'] },
    denominator: ran,
  },
  {
    stem: 'plimsoll_kpi_tool_call_duration',
    suffix: '_seconds',
    unit: 'seconds',
    help: 'Duration of tool calls, of the last attempt: quantiles within 1 %, and the mean.',
    numerator: { words: 'sum of the durations', sums: ['seconds'] },
    denominator: ran,
    stats: durationStats,
  },
];
