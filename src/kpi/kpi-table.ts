import type { EscalationReason } from '../semconv/vocabulary.ts';
import type { KpiRun, KpiScore, KpiToolCall } from './facts.ts';

/** A KPI over rolling windows: one sum divided by another. A new KPI is a new row. */
export interface Kpi<Sum extends string> {
  /** The gauge is `stem + suffix`; the two sums are `stem_numerator` and `stem_denominator`. */
  readonly stem: string;
  readonly suffix: string;
  readonly unit: 'ratio' | 'USD' | 'seconds';
  readonly help: string;
  readonly numerator: Sum;
  readonly denominator: Sum;
  /** Quantiles instead of the quotient, by the value of the label `stat`. */
  readonly stats?: Readonly<Record<string, number>>;
}

/** Why control passed to a human in `run`: `other` where only its outcome says that it did, undefined where it did not. */
export function escalationReasonOf(run: KpiRun): EscalationReason | undefined {
  return run.escalationReason ?? (run.outcome === 'escalated' ? 'other' : undefined);
}

const isGood = (run: KpiRun): boolean => run.outcome === 'success' || run.outcome === 'completed';
const isEscalated = (run: KpiRun): boolean => escalationReasonOf(run) !== undefined;
const costOf = ({ costUsd }: KpiRun): number => costUsd.llm + costUsd.tool + costUsd.review;

/** What each finished run adds to a window. A run of unknown price is on neither side of a cost: unknown is not 0. */
export const runSums = {
  finished: () => 1,
  good: (run: KpiRun) => Number(isGood(run)),
  escalated: (run: KpiRun) => Number(isEscalated(run)),
  evidenced: (run: KpiRun) => Number(run.evidence !== 'none'),
  priced: (run: KpiRun) => Number(run.priced),
  pricedGood: (run: KpiRun) => Number(run.priced && isGood(run)),
  costUsd: (run: KpiRun) => (run.priced ? costOf(run) : 0),
  reviewUsd: (run: KpiRun) => run.costUsd.review,
  contained: (run: KpiRun) => Number(!isEscalated(run) && run.outcome !== 'abandoned'),
  /** Counted on their own, when they open. */
  incidents: () => 0,
} as const satisfies Record<string, (run: KpiRun) => number>;

const isRatioed = (call: KpiToolCall): boolean => call.result === 'ok' || call.result === 'error';

/** What each tool call adds to a window. Calls that a human refused or that were cancelled did not run. */
export const toolSums = {
  called: (call: KpiToolCall) => Number(isRatioed(call)),
  ok: (call: KpiToolCall) => Number(call.result === 'ok'),
  /** The attempts before the last one failed, whatever became of that. */
  attempted: (call: KpiToolCall) => call.attempts - 1 + Number(isRatioed(call)),
  retried: (call: KpiToolCall) => Number(isRatioed(call) && call.attempts > 1),
  seconds: (call: KpiToolCall) => (isRatioed(call) ? call.durationMs / 1000 : 0),
} as const satisfies Record<string, (call: KpiToolCall) => number>;

/** What each score of a finished run adds to a window. */
export const scoreSums = {
  scored: () => 1,
  score: ({ score }: KpiScore) => score,
} as const satisfies Record<string, (score: KpiScore) => number>;

/** KPIs of one evaluator of a release. */
export const scoreKpis: readonly Kpi<keyof typeof scoreSums>[] = [
  {
    stem: 'plimsoll_kpi_quality_score',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Mean of what an evaluator found of finished runs, 0 to 1; runs without its word are on neither side.',
    numerator: 'score',
    denominator: 'scored',
  },
];

/** KPIs of one release of an agent in an environment. */
export const runKpis: readonly Kpi<keyof typeof runSums>[] = [
  {
    stem: 'plimsoll_kpi_run_success',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs that ended well (outcome success or completed).',
    numerator: 'good',
    denominator: 'finished',
  },
  {
    stem: 'plimsoll_kpi_run_escalation',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs in which control passed to a human at least once.',
    numerator: 'escalated',
    denominator: 'finished',
  },
  {
    stem: 'plimsoll_kpi_run_containment',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs in which no human was needed and which nobody gave up.',
    numerator: 'contained',
    denominator: 'finished',
  },
  {
    stem: 'plimsoll_kpi_outcome_evidence',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of finished runs whose outcome somebody confirmed (evidence other than none).',
    numerator: 'evidenced',
    denominator: 'finished',
  },
  {
    stem: 'plimsoll_kpi_cost_usd_per_run',
    suffix: '',
    unit: 'USD',
    help: 'Cost of models, tools and review per finished run, in US dollars; runs of unknown price left out.',
    numerator: 'costUsd',
    denominator: 'priced',
  },
  {
    stem: 'plimsoll_kpi_cost_usd_per_success',
    suffix: '',
    unit: 'USD',
    help: 'Cost of all finished runs, the failed ones too, per run that ended well, in US dollars; runs of unknown price left out.',
    numerator: 'costUsd',
    denominator: 'pricedGood',
  },
  {
    stem: 'plimsoll_kpi_review_cost_usd_per_run',
    suffix: '',
    unit: 'USD',
    help: 'Cost of human review per finished run, in US dollars.',
    numerator: 'reviewUsd',
    denominator: 'finished',
  },
  {
    stem: 'plimsoll_kpi_incidents_per_run',
    suffix: '',
    unit: 'ratio',
    help: 'Incidents that opened, per finished run.',
    numerator: 'incidents',
    denominator: 'finished',
  },
];

/** KPIs of one tool of a release. */
export const toolKpis: readonly Kpi<keyof typeof toolSums>[] = [
  {
    stem: 'plimsoll_kpi_tool_call_success',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of tool calls that did not fail; calls rejected by a human or cancelled are on neither side.',
    numerator: 'ok',
    denominator: 'called',
  },
  {
    stem: 'plimsoll_kpi_tool_call_attempt_success',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of attempts at tool calls that did not fail; refused and cancelled ones are on neither side.',
    numerator: 'ok',
    denominator: 'attempted',
  },
  {
    stem: 'plimsoll_kpi_tool_call_retry',
    suffix: '_ratio',
    unit: 'ratio',
    help: 'Share of tool calls that were made more than once; calls rejected by a human or cancelled are on neither side.',
    numerator: 'retried',
    denominator: 'called',
  },
  {
    stem: 'plimsoll_kpi_tool_call_duration',
    suffix: '_seconds',
    unit: 'seconds',
    help: 'Quantiles of the duration of tool calls, in seconds, within 1 %.',
    numerator: 'seconds',
    denominator: 'called',
    stats: { p50: 0.5, p95: 0.95, p99: 0.99 },
  },
];
