import type { GateVerdict } from './offline-gate.ts';

/** What a release must show before it gets traffic. */
export interface StagingRules {
  readonly minRuns: number;
  /** What each KPI must be, by name: ratios, US dollars or seconds. */
  readonly demands: readonly {
    readonly kpi: string;
    readonly side: 'at_least' | 'at_most';
    readonly bound: number;
  }[];
}

/** What is known of a release over the longest window. */
export interface StagingFigures {
  readonly runs: number;
  /** By KPI; one without an event has none. */
  readonly values: ReadonlyMap<string, number>;
}

/**
 * Judges a release by its figures: from enough runs on it passes when each KPI is as demanded, and fails when one is not.
 * With fewer runs, and while a KPI has no figure, nobody can tell. These are thresholds, not tests: they find what is
 * broken, and a canary finds what is worse.
 */
export function judgeStaging(
  { runs, values }: StagingFigures,
  { minRuns, demands }: StagingRules,
): GateVerdict {
  if (runs < minRuns)
    return { verdict: 'inconclusive', reason: `${runs} runs are too few, ${minRuns} are asked for` };
  if (demands.length === 0) return { verdict: 'inconclusive', reason: 'nothing is demanded of it' };
  const unmet = demands.filter(({ kpi, side, bound }) => {
    const value = values.get(kpi) ?? Number.NaN;
    return side === 'at_least' ? value < bound : value > bound;
  });
  const said = unmet.map(
    ({ kpi, side, bound }) => `${kpi} is ${shown(values.get(kpi))} and must be ${sides[side]} ${bound}`,
  );
  if (said.length > 0) return { verdict: 'fail', reason: `${said.join(', ')}, over ${runs} runs` };
  const unknown = demands.filter(({ kpi }) => Number.isNaN(values.get(kpi) ?? Number.NaN));
  if (unknown.length > 0)
    return {
      verdict: 'inconclusive',
      reason: `nothing is known of ${unknown.map(({ kpi }) => kpi).join(', ')}`,
    };
  const met = demands.map(({ kpi }) => `${kpi} ${shown(values.get(kpi))}`);
  return { verdict: 'pass', reason: `${met.join(', ')}, over ${runs} runs` };
}

const sides = { at_least: 'at least', at_most: 'at most' } as const;

function shown(value: number | undefined): string {
  return value === undefined ? 'unknown' : String(Number(value.toPrecision(4)));
}
