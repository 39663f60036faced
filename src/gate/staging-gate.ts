import type { GateVerdict } from './offline-gate.ts';

/** What a release must show before it gets traffic. */
export interface StagingRules {
  readonly minRuns: number;
  /** What each KPI must be, by name: ratios, US dollars or seconds. */
  readonly demands: readonly {
    readonly kpi: string;
    readonly side: 'at_least' | 'at_most';
    readonly bound: number;
    /** From so many events of the KPI on its figure says something. */
    readonly minEvents: number;
  }[];
}

/** What a KPI was, and of how many events: runs, or calls. */
interface StagingFigure {
  readonly value: number;
  readonly events: number;
}

/** What is known of a release over the longest window. */
export interface StagingFigures {
  readonly runs: number;
  /** By KPI; one without an event has none. */
  readonly kpis: ReadonlyMap<string, StagingFigure>;
}

/**
 * Judges a release by its figures: from enough runs on it passes when each KPI is as demanded, and fails when one is not.
 * With fewer runs nobody can tell, nor of a KPI with too few events of its own: scores and prices are not of every run.
 * These are thresholds, not tests: they find what is broken, and a canary finds what is worse.
 */
export function judgeStaging(
  { runs, kpis }: StagingFigures,
  { minRuns, demands }: StagingRules,
): GateVerdict {
  if (runs < minRuns)
    return { verdict: 'inconclusive', reason: `${runs} runs are too few, ${minRuns} are asked for` };
  if (demands.length === 0) return { verdict: 'inconclusive', reason: 'nothing is demanded of it' };
  const found = demands.map((demand) => ({ ...demand, ...(kpis.get(demand.kpi) ?? unknown) }));
  const isKnown = ({ value, events, minEvents }: (typeof found)[number]): boolean =>
    events >= minEvents && !Number.isNaN(value);
  const unmet = found.filter(
    (one) => isKnown(one) && (one.side === 'at_least' ? one.value < one.bound : one.value > one.bound),
  );
  const said = unmet.map(
    ({ kpi, value, side, bound }) => `${kpi} is ${shown(value)} and must be ${sides[side]} ${bound}`,
  );
  if (said.length > 0) return { verdict: 'fail', reason: `${said.join(', ')}, over ${runs} runs` };
  const few = found
    .filter((one) => !isKnown(one))
    .map(({ kpi, events, minEvents }) => `${kpi} (${events} events, ${minEvents} are asked for)`);
  if (few.length > 0)
    return { verdict: 'inconclusive', reason: `too little is known of ${few.join(', ')}, over ${runs} runs` };
  const met = found.map(({ kpi, value }) => `${kpi} ${shown(value)}`);
  return { verdict: 'pass', reason: `${met.join(', ')}, over ${runs} runs` };
}

const unknown: StagingFigure = { value: Number.NaN, events: 0 };

const sides = { at_least: 'at least', at_most: 'at most' } as const;

function shown(value: number): string {
  return String(Number(value.toPrecision(4)));
}
