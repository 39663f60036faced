import type { Outcome } from '../semconv/vocabulary.ts';
import { judgedKpis, type CanaryGate, type JudgedKpi } from './gate-schema.ts';
import { isBetterHigher } from './kpi-direction.ts';
import { metricsOf } from './kpi-metrics.ts';
import { meanBoundOf } from './objective-schema.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds } from './policy-values.ts';
import type { PolicyFile } from './read-policy.ts';

/** What a canary must show, in the units that a judge works in: plain data that it may keep. */
export interface CanaryRules {
  readonly policy: string;
  readonly revision: string;
  /** Of the traffic, that the release gets. */
  readonly share: number;
  /** What the router keeps together. */
  readonly unit: CanaryGate['unit'];
  /** A unit that has not ended after so long has failed. */
  readonly deadlineMs: number;
  readonly tickMs: number;
  /** Settled units of the release before it passes. */
  readonly minRuns: number;
  /** Shares of bad: worse by so much is what passing excludes, and worse by no more than that is not worse. */
  readonly margin: number;
  readonly tolerance: number;
  /** E-values, for a KPI of weight 1. */
  readonly pauseAt: number;
  readonly rollbackAt: number;
  readonly maxMs: number;
  readonly onTimeout: CanaryGate['on_timeout'];
  readonly goodOutcomes: readonly Outcome[];
  readonly kpis: readonly JudgedKpiRules[];
}

/** How much one KPI matters, and what is said of it. */
interface JudgedKpiRules {
  readonly kpi: JudgedKpi;
  /** More than 0; together 1. */
  readonly weight: number;
  /** The mean that the objective allows, a share of bad or an amount; undefined where it states none, or a quantile. */
  readonly reference: number | undefined;
  /** The most that it may be whatever other releases do: a share of bad, or an amount. */
  readonly floor: number | undefined;
  /** Whose scores. */
  readonly evaluator?: string;
  /** The most that the objective allows, of the mean or of a quantile; of amounts only, which are US dollars of a cost and seconds of a duration. */
  readonly limit?: number;
}

/** Unless the policy says another. */
const usualTick = '1m';

/** What the policy asks of canaries; undefined where it has no such gate. */
export function canaryRulesOf({ policy, revision }: PolicyFile): CanaryRules | undefined {
  const canary = policy.gates?.canary;
  if (!canary) return undefined;
  return {
    policy: policy.metadata.name,
    revision,
    share: canary.share,
    unit: canary.unit,
    deadlineMs: 1000 * durationSeconds(canary.deadline),
    tickMs: 1000 * durationSeconds(canary.tick ?? usualTick),
    minRuns: canary.min_runs,
    margin: canary.margin,
    tolerance: canary.tolerance ?? 0,
    pauseAt: canary.pause_at,
    rollbackAt: canary.rollback_at,
    maxMs: 1000 * durationSeconds(canary.max),
    onTimeout: canary.on_timeout,
    goodOutcomes: policy.good_outcomes,
    kpis: weightsOf(canary).map(([kpi, weight]) => rulesOf(policy, canary, kpi, weight)),
  };
}

/** The KPIs that a canary is judged by, and how much each matters. */
function weightsOf({ weights }: CanaryGate): readonly (readonly [kpi: JudgedKpi, weight: number])[] {
  return judgedKpis.flatMap((kpi) => {
    const weight = weights[kpi] ?? 0;
    return weight > 0 ? [[kpi, weight] as const] : [];
  });
}

/** The most that a KPI may be by this bound: a share of bad, or an amount. What is good is stated as the least. */
function mostOf(kpi: JudgedKpi, bound: number): number {
  return isBetterHigher(kpi) ? rounded(1 - bound) : bound;
}

function rulesOf(
  { objectives }: Policy,
  { floor = {} }: CanaryGate,
  kpi: JudgedKpi,
  weight: number,
): JudgedKpiRules {
  const objective = objectives[kpi];
  const bound = objective && ('at_least' in objective ? objective.at_least : objective.at_most);
  const meanBound = objective && meanBoundOf(objective);
  const least = floor[kpi];
  const isAmount = ['USD', 'seconds'].includes(metricsOf(kpi).unit);
  return {
    kpi,
    weight,
    reference: meanBound === undefined ? undefined : mostOf(kpi, meanBound),
    floor: least === undefined ? undefined : mostOf(kpi, least),
    ...(objective && 'evaluator' in objective ? { evaluator: objective.evaluator } : {}),
    ...(isAmount && bound !== undefined ? { limit: bound } : {}),
  };
}

/** 1 − 0.9 is 0.1. */
function rounded(value: number): number {
  return Number(value.toFixed(10));
}
