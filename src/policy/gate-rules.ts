import type { Outcome } from '../semconv/vocabulary.ts';
import type { KpiName } from './kpi-metrics.ts';
import { kpiName } from './objective-schema.ts';
import type { PolicyFile } from './read-policy.ts';

/** What a release must show on a data set. */
export interface OfflineRules {
  readonly dataset: string;
  readonly minCases: number;
  readonly margin: number;
  readonly goodOutcomes: readonly Outcome[];
}

/** What the policy asks of a release before it is deployed; undefined where it has no such gate. */
export function offlineRulesOf({ policy }: PolicyFile): OfflineRules | undefined {
  const offline = policy.gates?.offline;
  if (!offline) return undefined;
  const { dataset, min_cases: minCases, margin } = offline;
  return { dataset, minCases, margin, goodOutcomes: policy.good_outcomes };
}

/** What a release must show before it gets traffic. */
export interface StagingRules {
  readonly minRuns: number;
  readonly demands: readonly {
    readonly kpi: KpiName;
    readonly side: 'at_least' | 'at_most';
    readonly bound: number;
    /** From so many events of the KPI on its figure says something. */
    readonly minEvents: number;
  }[];
}

/**
 * What the policy asks of a release in staging; undefined where it has no such gate. KPIs per run need `min_runs` events,
 * those of calls as many as their objective, if there is one.
 */
export function stagingRulesOf({ policy }: PolicyFile): StagingRules | undefined {
  const staging = policy.gates?.staging;
  if (!staging) return undefined;
  const demands = kpiName.options.flatMap((kpi) =>
    (['at_least', 'at_most'] as const).flatMap((side) => {
      const bound = staging[side]?.[kpi];
      if (bound === undefined) return [];
      const ofCalls = kpi.startsWith('tool_call_') ? policy.objectives[kpi] : undefined;
      return [{ kpi, side, bound, minEvents: ofCalls?.min_events ?? staging.min_runs }];
    }),
  );
  return { minRuns: staging.min_runs, demands };
}
