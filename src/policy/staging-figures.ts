import {
  figuresOfRelease,
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

/** What a KPI was, and of how many events. */
interface StagingFigure {
  readonly value: number;
  readonly events: number;
}

/** What the gauges say of a release over the longest of their windows. */
export interface StagingFigures {
  readonly runs: number;
  /** A KPI without an event has none. */
  readonly kpis: ReadonlyMap<KpiName, StagingFigure>;
}

/**
 * What `families`, which are of one moment, say of `release` by what `file` demands in staging: shares and means over all
 * tools, the scores of the evaluator of the objective, and durations in the stat of the objective or else the p95, of
 * calls those of the slowest tool that was called often enough.
 */
export function stagingFiguresOf(
  file: PolicyFile,
  release: Release,
  families: readonly MetricFamily[],
): StagingFigures {
  const parts = (kpi: KpiName): ReadonlyMap<string, Figure> =>
    longestOf(figuresOfRelease(kpi, release, families));
  const demanded = new Map(stagingRulesOf(file)?.demands.map(({ kpi, minEvents }) => [kpi, minEvents]));
  return {
    runs: parts('run_success').get('')?.denominator ?? 0,
    kpis: new Map(
      [...demanded].flatMap(([kpi, minEvents]) => {
        const figure =
          kpi === 'tool_call_duration' || kpi === 'run_duration'
            ? slowestOf(file.policy.objectives[kpi]?.stat, parts(kpi), minEvents)
            : shareOf(file.policy, kpi, parts(kpi));
        return figure ? [[kpi, figure] as const] : [];
      }),
    ),
  };
}

/** What the longest window says of a KPI. */
function longestOf(figures: ReleaseFigures | undefined): ReadonlyMap<string, Figure> {
  const windows = [...(figures?.windows ?? [])].toSorted(
    ([a], [b]) => (durationSeconds(b) || 0) - (durationSeconds(a) || 0),
  );
  return windows[0]?.[1] ?? new Map<string, Figure>();
}

function shareOf(
  { objectives }: Policy,
  kpi: KpiName,
  parts: ReadonlyMap<string, Figure>,
): StagingFigure | undefined {
  const figure = parts.get(kpi === 'quality_score' ? (objectives.quality_score?.evaluator ?? '') : '');
  if (!figure || figure.denominator <= 0) return undefined;
  return { value: figure.numerator / figure.denominator, events: figure.denominator };
}

/** Of the tools with enough calls; where none has, of all. Runs are one part. */
function slowestOf(
  stat: string | undefined,
  parts: ReadonlyMap<string, Figure>,
  minEvents: number,
): StagingFigure | undefined {
  const tools = [...parts.values()].flatMap(({ stats, denominator: events }) => {
    const value = stats.get(stat ?? 'p95');
    return value === undefined ? [] : [{ value, events }];
  });
  const enough = tools.filter(({ events }) => events >= minEvents);
  return (enough.length > 0 ? enough : tools).toSorted((a, b) => b.value - a.value)[0];
}
