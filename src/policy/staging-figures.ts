import {
  figuresOf,
  type Figure,
  type MetricFamily,
  type Release,
  type ReleaseFigures,
} from './kpi-figures.ts';
import type { KpiName } from './kpi-metrics.ts';
import { stagingRulesOf } from './gate-rules.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds } from './policy-values.ts';
import type { PolicyFile } from './read-policy.ts';

/** What the gauges say of a release over the longest of their windows. */
export interface StagingFigures {
  readonly runs: number;
  /** A KPI without an event has none. */
  readonly values: ReadonlyMap<KpiName, number>;
}

/**
 * What `families`, which are of one moment, say of `release` by what `file` demands in staging: shares and means over all
 * tools, the scores of the evaluator of the objective, and of durations the worst tool's, in the stat of the objective or
 * else the p95.
 */
export function stagingFiguresOf(
  file: PolicyFile,
  release: Release,
  families: readonly MetricFamily[],
): StagingFigures {
  const parts = (kpi: KpiName): ReadonlyMap<string, Figure> =>
    longestOf(figuresOf(kpi, families).find((figures) => isOf(figures, release)));
  const demanded = new Set(stagingRulesOf(file)?.demands.map(({ kpi }) => kpi));
  return {
    runs: parts('run_success').get('')?.denominator ?? 0,
    values: new Map(
      [...demanded].flatMap((kpi) => {
        const value = valueOf(file.policy, kpi, parts(kpi));
        return value === undefined ? [] : [[kpi, value] as const];
      }),
    ),
  };
}

function isOf(figures: Release, { agent, release, environment }: Release): boolean {
  return figures.agent === agent && figures.release === release && figures.environment === environment;
}

/** What the longest window says of a KPI. */
function longestOf(figures: ReleaseFigures | undefined): ReadonlyMap<string, Figure> {
  const windows = [...(figures?.windows ?? [])].toSorted(
    ([a], [b]) => (durationSeconds(b) || 0) - (durationSeconds(a) || 0),
  );
  return windows[0]?.[1] ?? new Map<string, Figure>();
}

function valueOf(
  { objectives }: Policy,
  kpi: KpiName,
  parts: ReadonlyMap<string, Figure>,
): number | undefined {
  if (kpi === 'tool_call_duration') {
    const stat = objectives.tool_call_duration?.stat ?? 'p95';
    const seconds = [...parts.values()].flatMap(({ stats }) => stats.get(stat) ?? []);
    return seconds.length > 0 ? Math.max(...seconds) : undefined;
  }
  const figure = parts.get(kpi === 'quality_score' ? (objectives.quality_score?.evaluator ?? '') : '');
  return figure && figure.denominator > 0 ? figure.numerator / figure.denominator : undefined;
}
